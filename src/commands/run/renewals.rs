//! What the answers to renewals mean to the supervisor, and to people.

use super::driver::Driver;
use super::news::News;
use crate::clock::Instant;
use crate::lease::{Jump, LostWhy, Reading, Renewal, ServerTime, StoreError};
use crate::supervisor::Event;

impl Driver<'_> {
    /// Turns the answer to a renewal into the supervisor's words.
    pub(super) fn renewal_answered(
        &mut self,
        answer: Result<(Instant, Renewal), StoreError>,
    ) -> Event {
        match answer {
            Ok((asked_at, Renewal::Extended { server_time, asked })) => {
                let jump = self.jump(asked_at, server_time);
                let rate = jump.map_or(1.0, |jump| jump.rate);
                self.renewed(asked_at, rate);
                self.tell_of_the_clock(jump);
                if let Some(request) = asked {
                    self.hand_back.asked(request);
                }
                Event::Renewed { asked_at, rate }
            }
            Ok((asked_at, Renewal::Lost { server_time, why })) => {
                self.lost = true;
                let jump = self.jump(asked_at, server_time);
                let set_forward = jump.is_some_and(|jump| jump.forward);
                Event::RenewalLost(match why {
                    LostWhy::Expired if set_forward => LostWhy::ClockJump,
                    why => why,
                })
            }
            Err(error) => {
                self.not_renewed(error);
                Event::RenewalUnanswered
            }
        }
    }

    /// What the store's clock has done since the last renewal that two clocks of the same rate do not.
    fn jump(&mut self, asked_at: Instant, server_time: Option<ServerTime>) -> Option<Jump> {
        let reading = Reading {
            asked_at,
            heard_at: self.clock.now(),
            shown: server_time?,
        };
        let drift = self.plan.settings.timing.drift();
        self.server_clock.read(reading, drift)
    }

    /// Once, and again only when it goes otherwise: a clock that runs fast jumps with every renewal.
    fn tell_of_the_clock(&mut self, jump: Option<Jump>) {
        match (self.server_clock.news(jump), jump) {
            (Some(pace), Some(jump)) => self.audience.hear(&News::ClockJump { jump, pace }),
            (Some(_), None) => self.audience.hear(&News::ClockSteady),
            (None, _) => {}
        }
    }

    fn renewed(&mut self, asked_at: Instant, rate: f64) {
        self.renewals += 1;
        self.unanswered = 0;
        self.last_renewed_at = self.clock.wall();
        // The answer moves the deadline, and the supervisor has not heard of it yet.
        let tenure = self.supervisor.tenure();
        let kill = tenure.map_or(Instant::NEVER, |tenure| {
            tenure.extended(asked_at, rate).kill()
        });
        let now = self.clock.now();
        self.audience.hear(&News::Renewed {
            renewals: self.renewals,
            took: now.since(asked_at),
            remaining: (kill != Instant::NEVER).then(|| kill.since(now)),
        });
    }

    fn not_renewed(&mut self, error: StoreError) {
        self.unanswered += 1;
        let remaining = self.until_stop();
        self.audience.hear(&News::RenewFailed {
            attempt: self.unanswered,
            error: &error,
            remaining,
            last_renewed_at: self.last_renewed_at,
        });
        self.last_error = Some(error);
    }
}
