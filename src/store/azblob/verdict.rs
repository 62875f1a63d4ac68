//! What an answer means, per operation: one table. Pure.
//!
//! Doubt is everything that is neither yes nor no (P8): it never ends a hold, and never begins one.

use super::trouble::{Trouble, shown};
use super::wire::Answer;
use crate::lease::{Effect, LostWhy};
use crate::run_id::run_id;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The lease.
    Acquire,
    /// The holder's metadata, at the start or the end of a run.
    Record,
    Renew,
    Release,
    /// A look at a blob or at the container, or the list.
    Look,
    /// A blob or a container that may be there already.
    Create,
    /// The ask blob's metadata.
    Ask,
    Break,
}

impl Asked {
    /// Everything that is ever asked, for those who look at all of it.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) const ALL: [Self; 8] = [
        Self::Acquire,
        Self::Record,
        Self::Renew,
        Self::Release,
        Self::Look,
        Self::Create,
        Self::Ask,
        Self::Break,
    ];
}

/// What the answer means.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Done.
    Yes,
    /// What was seen before is still so.
    Unchanged,
    /// It is not there.
    Absent,
    /// It is there already.
    Exists,
    /// Somebody else has the lease.
    Held,
    /// Somebody wrote since the look.
    Again,
    /// The lease is not ours any more.
    Lost(LostWhy),
    /// No answer, not allowed, not fit, or no sense.
    No(Trouble),
}

/// The verdict on an answer; `ours`: the lease id in it is the one we sent, or there is none to be.
pub(super) fn of(asked: Asked, answer: &Answer, ours: bool) -> Verdict {
    let code = answer.code.as_deref().unwrap_or_default();
    match answer.status {
        200..=299 if ours => Verdict::Yes,
        200..=299 if asked == Asked::Renew => Verdict::Lost(LostWhy::Taken),
        200..=299 => Verdict::No(Trouble::Garbled(
            "it answers with the lease id of somebody else".to_owned(),
        )),
        304 => Verdict::Unchanged,
        401 | 403 => Verdict::No(denied(code, answer.status)),
        404 => absent(asked, code),
        409 | 412 => conflict(asked, answer.status, code),
        408 | 429 | 500..=599 => Verdict::No(later(answer.status, code)),
        _ => Verdict::No(unfit(asked, answer.status, code)),
    }
}

fn absent(asked: Asked, code: &str) -> Verdict {
    let known = matches!(
        code,
        "BlobNotFound" | "ContainerNotFound" | "ResourceNotFound"
    );
    match asked {
        Asked::Renew | Asked::Record if known => Verdict::Lost(LostWhy::Vanished),
        Asked::Release if known => Verdict::Lost(LostWhy::Vanished),
        Asked::Acquire | Asked::Look | Asked::Ask | Asked::Break | Asked::Create if known => {
            Verdict::Absent
        }
        // A host that is not the service answers like this.
        _ => Verdict::No(unfit(asked, 404, code)),
    }
}

fn conflict(asked: Asked, status: u16, code: &str) -> Verdict {
    match code {
        "LeaseAlreadyPresent" | "LeaseIsBreakingAndCannotBeAcquired" => held(asked, code),
        "LeaseIsBrokenAndCannotBeRenewed" | "LeaseIsBreakingAndCannotBeChanged" => {
            over(asked, LostWhy::Broken, code)
        }
        "LeaseIdMismatchWithLeaseOperation" | "LeaseIdMismatchWithBlobOperation" => {
            over(asked, LostWhy::Taken, code)
        }
        "LeaseNotPresentWithLeaseOperation" | "LeaseNotPresentWithBlobOperation" | "LeaseLost" => {
            over(asked, LostWhy::Expired, code)
        }
        "LeaseIdMissing" if asked == Asked::Create => Verdict::Exists,
        "LeaseIdMissing" => over(asked, LostWhy::Taken, code),
        "ConditionNotMet" => match asked {
            Asked::Create => Verdict::Exists,
            Asked::Renew | Asked::Release => Verdict::Lost(LostWhy::Taken),
            _ => Verdict::Again,
        },
        "BlobAlreadyExists" | "ContainerAlreadyExists" if asked == Asked::Create => Verdict::Exists,
        "ContainerBeingDeleted" if asked == Asked::Renew => Verdict::Lost(LostWhy::Vanished),
        "ContainerBeingDeleted" if asked == Asked::Release => Verdict::Lost(LostWhy::Vanished),
        "ContainerBeingDeleted" | "ContainerDisabled" => Verdict::No(later(status, code)),
        _ => Verdict::No(unfit(asked, status, code)),
    }
}

fn held(asked: Asked, code: &str) -> Verdict {
    match asked {
        Asked::Acquire => Verdict::Held,
        _ => Verdict::No(unfit(asked, 409, code)),
    }
}

/// The lease that was spoken of is not, or no more.
fn over(asked: Asked, why: LostWhy, code: &str) -> Verdict {
    match asked {
        Asked::Acquire => Verdict::Held,
        Asked::Renew | Asked::Release | Asked::Record | Asked::Break => Verdict::Lost(why),
        // Ask blobs are never leased by us.
        Asked::Ask | Asked::Create | Asked::Look => Verdict::No(Trouble::Unfit(format!(
            "somebody has leased the blob that operators write to ({code}); break that lease"
        ))),
    }
}

/// "Later", or nothing that could be relied on.
fn later(status: u16, code: &str) -> Trouble {
    let why = match status {
        408 | 504 => "it took too long",
        429 | 503 => "it is busy",
        409 => "the container is being deleted or is disabled",
        _ => "it failed",
    };
    Trouble::Silent(Effect::Unknown, format!("{why} ({})", named(status, code)))
}

fn denied(code: &str, status: u16) -> Trouble {
    let advice = match code {
        "AuthenticationFailed" | "InvalidAuthenticationInfo" => {
            "the key, SAS or token is wrong or has expired, or this machine's clock is wrong"
        }
        "KeyBasedAuthenticationNotPermitted" => {
            "the account takes no keys; sign in with ?auth=managed-identity or another token"
        }
        "AccountIsDisabled" => "the account is disabled",
        "InsufficientAccountPermissions" | "AuthorizationPermissionMismatch" => {
            "give the identity the role Storage Blob Data Contributor on the container (a new assignment \
             takes up to ten minutes), or the SAS the rights racwl"
        }
        "AuthorizationFailure" => {
            "its network rules or the SAS do not let this machine in; see the account's firewall"
        }
        _ => "give the identity the role Storage Blob Data Contributor on the container",
    };
    Trouble::Denied(format!("{advice} ({})", named(status, code)))
}

/// Before a grant this is for an operator to mend; while holding it is doubt, loudly.
fn unfit(asked: Asked, status: u16, code: &str) -> Trouble {
    let why = match code {
        "BlobImmutableDueToPolicy" => "a retention policy or a legal hold forbids writing",
        "BlobArchived" => "the blob is archived",
        "SnapshotsPresent" => "the blob has snapshots",
        "InvalidBlobType" => "the blob is of another type",
        "MetadataTooLarge" => "the blob's metadata is too large",
        _ if (300..400).contains(&status) => "it sends us elsewhere",
        _ if status == 404 => "it is not a Blob service, or not this account's",
        _ => "it does not take the request",
    };
    let text = format!("{why} ({})", named(status, code));
    match asked {
        Asked::Renew | Asked::Release => Trouble::Silent(Effect::Unknown, text),
        _ => Trouble::Unfit(text),
    }
}

/// What it answered, and by what the request is found in the account's logs.
fn named(status: u16, code: &str) -> String {
    let what = match code {
        "" => format!("HTTP {status}"),
        code => shown(code),
    };
    format!("{what}, request {}", run_id())
}

#[cfg(test)]
mod tests;
