//! Mutations of an input, of which a seed says all.

/// Numbers that look random: splitmix64, the same for the same seed on every machine.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`; 0 when there is nothing below it.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap().max(1);
        usize::try_from(self.roll() % end).unwrap()
    }
}

/// The longest result: duplicates of duplicates would grow without end.
const LONGEST: usize = 128 * 1024;

/// Numbers at the edge of their kind.
const EDGES: [&str; 6] = [
    "0",
    "-1",
    "2147483648",
    "9223372036854775807",
    "18446744073709551616",
    "1e309",
];
/// What is odd in any text.
const ODD: [&[u8]; 6] = [b"\0", b"\n", b"\x1b", b"\xff", "\u{202e}".as_bytes(), b"\""];

/// One to four changes of `input`; `other` is what it may be crossed with.
pub(super) fn mutated(input: &[u8], other: &[u8], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(4) {
        change(&mut bytes, other, words, dice);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], words: &[&str], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let end = at + dice.below(bytes.len() + 1 - at);
    match dice.below(8) {
        0 => flip(bytes, at, dice),
        1 => bytes.truncate(at),
        // A piece twice, or many times.
        2 => {
            let times = [1, 1, 2, 100][dice.below(4)];
            let piece = bytes[at..end].repeat(times);
            bytes.splice(end..end, piece);
        }
        3 => drop(bytes.drain(at..end)),
        // The beginning of one and the end of another.
        4 => {
            bytes.truncate(at);
            bytes.extend(&other[dice.below(other.len() + 1)..]);
        }
        5 => {
            let word = words.get(dice.below(words.len())).copied();
            bytes.splice(at..at, word.unwrap_or_default().bytes());
        }
        // A number at the edge of its kind in place of some digits.
        6 => {
            let digit = bytes
                .iter()
                .position(u8::is_ascii_digit)
                .unwrap_or(at)
                .max(at);
            let digits = bytes[digit..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            bytes.splice(
                digit..digit + digits,
                EDGES[dice.below(EDGES.len())].bytes(),
            );
        }
        _ => {
            bytes.splice(at..at, ODD[dice.below(ODD.len())].iter().copied());
        }
    }
}

fn flip(bytes: &mut [u8], at: usize, dice: &mut Dice) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

#[test]
fn the_same_seed_makes_the_same_mutations() {
    let all = |seed| {
        let mut dice = Dice::new(seed);
        let mut one = || mutated(b"{\"a\":12}", b"[x]", &["null"], &mut dice);
        std::iter::repeat_with(&mut one)
            .take(200)
            .collect::<Vec<_>>()
    };
    assert_eq!(all(7), all(7));
    assert_ne!(all(7), all(8));
    assert!(all(7).iter().any(Vec::is_empty) && all(7).iter().any(|bytes| bytes.len() > 100));
}
