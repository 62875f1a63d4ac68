//! What this process is called, in its events and by the services it asks: so that both can be put side by side.

use std::sync::OnceLock;

/// 16 hex digits, the same for as long as this process lives. No secret, and nothing is decided by it.
#[must_use]
pub fn run_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let mut bytes = [0; 8];
        // Without randomness several processes cannot be told apart; what they say is still true.
        getrandom::fill(&mut bytes).ok();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_the_same() {
        assert_eq!(run_id(), run_id());
        assert_eq!(run_id().len(), 16);
        assert!(run_id().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
