//! What can be typed, a file for each verb. Nothing is resolved or opened here.

mod asking;
mod config;
mod doctor;
mod groups;
mod hold;
mod later;
mod notices;
mod run;
mod scheduled_events;
mod status;
mod telling;

use clap::{Command, CommandFactory, Parser, Subcommand};

use super::completions::CompletionsArgs;
use super::guide;
use super::man_page::ManArgs;
pub(super) use asking::{PauseArgs, ReleaseArgs, ResumeArgs};
pub(super) use config::ConfigArgs;
pub(super) use doctor::DoctorArgs;
pub(super) use groups::{
    AskedArgs, ClaimArgs, LoudnessArgs, RecordArg, RecordArgs, StoreArgs, TimeArgs,
};
pub(super) use hold::HoldArgs;
use later::Later;
pub(super) use notices::{EventTypes, NoticeArgs};
pub(super) use run::{LeftoversArg, RestartArg, RunArgs};
pub(super) use scheduled_events::{ActionArg, ScheduledEventsArgs};
pub(super) use status::{CompleteLeasesArgs, StatusArgs, UntilArg, WatchArgs};
pub(super) use telling::{EventsArg, LogFormatArg, TellingArgs};

/// Run a command only while this machine holds a named lease
///
/// A lease is a name that one holder has at a time. leasectl takes it, runs the command, and gives
/// it back once every process of the command is gone.
///
/// When the lease is lost, or leasectl is killed, the whole command is stopped before the lease can
/// belong to anyone else.
#[derive(Debug, Parser)]
#[command(
    name = "leasectl",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB",
    after_long_help = guide::LEASECTL
)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// All that can be typed, with the options of every verb.
    pub(super) fn whole() -> Command {
        let mut leasectl = Self::command();
        leasectl.build();
        leasectl
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a command while holding a lease
    ///
    /// Acquires the lease, runs COMMAND, and gives the lease back once every process of the command
    /// is gone. Without --wait it tries once; when somebody else has the lease, nothing is run.
    ///
    /// Durations have a unit: 500ms, 30s, 5m, 1h30m.
    Run(Later<RunArgs>),

    /// Hold a lease for a shell script
    ///
    /// Acquires the lease, prints one line when it holds it, and keeps it until a signal, the end of
    /// --pid, of --for, or of its input (--until-eof). When the lease cannot be kept, --pid is stopped.
    ///
    /// Its own children --pid has to stop itself: where leasectl can start what is to be guarded, run is
    /// the better verb.
    Hold(Later<HoldArgs>),

    /// Show who holds which lease
    ///
    /// Who holds each lease of the store, since when and until when, or how its last run ended. It only
    /// looks: it keeps nobody from a lease, and makes nothing.
    Status(Later<StatusArgs>),

    /// Ask the holder of a lease to give it back
    ///
    /// Its leasectl stops the command, with the grace of its own --grace, renewing meanwhile, gives the
    /// lease back and exits with 119. This one waits for that.
    Release(Later<ReleaseArgs>),

    /// Keep everyone out of leases
    ///
    /// Nobody new gets them; whoever holds one is left alone. For maintenance: pause, then release,
    /// and the lease stays free until it is resumed.
    Pause(Later<PauseArgs>),

    /// End a pause or a minimum hold
    Resume(Later<ResumeArgs>),

    /// Show what is announced for this machine
    ///
    /// Azure's scheduled events: maintenance, eviction, the end of the machine. list shows what is announced
    /// now, watch a line of JSON for each change, ack lets events begin before their time.
    ///
    /// All leasectl processes of a user, or of the machine when root has one, learn of them through one
    /// that asks the service.
    #[command(name = "scheduled-events")]
    ScheduledEvents(Later<ScheduledEventsArgs>),

    /// Show the settings and where they come from
    ///
    /// Each setting of run, for the lease NAME or for any, with the environment variable or the line of a
    /// file that says it. A password is not shown.
    Config(Later<ConfigArgs>),

    /// Try out a store and this machine
    ///
    /// Prints what the store promises, lives through the life of a lease of its own (acquire, renew, a
    /// second contender, an operator's request, release, hand-over) and measures it, and looks at what
    /// this machine has for keeping a command together and for counting time. No other lease is touched.
    Doctor(Later<DoctorArgs>),

    /// Print a script that completes what is typed
    ///
    /// The script teaches a shell the verbs, options and values of leasectl, and after -- those of the
    /// command. It goes to standard output.
    Completions(Later<CompletionsArgs>),

    /// What completion scripts call. No word that anybody could mean by mistake: those are answered with the
    /// verbs that are like them.
    #[command(name = "__names", hide = true)]
    CompleteLeases(Later<CompleteLeasesArgs>),

    /// Print a man page
    ///
    /// The page is in the form that man reads, and goes to standard output.
    Man(Later<ManArgs>),
}

impl Verb {
    /// The store of a verb that has one: with it come all verbs that can be configured.
    pub(super) fn store(&mut self) -> Option<&mut StoreArgs> {
        match self {
            Self::Run(typed) => Some(&mut typed.store),
            Self::Hold(typed) => Some(&mut typed.store),
            Self::Release(typed) => Some(&mut typed.store),
            Self::Pause(typed) => Some(&mut typed.store),
            Self::Resume(typed) => Some(&mut typed.store),
            Self::Status(typed) => Some(&mut typed.store),
            Self::Doctor(typed) => Some(&mut typed.store),
            Self::Config(typed) => Some(&mut typed.store),
            Self::CompleteLeases(_)
            | Self::ScheduledEvents(_)
            | Self::Completions(_)
            | Self::Man(_) => None,
        }
    }
}
