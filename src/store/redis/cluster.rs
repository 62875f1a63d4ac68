//! Which node of a cluster serves a slot: as a node says, and as another corrects it. Pure.

use std::collections::HashMap;

use redis::Value;

use super::address::Node;
use super::trouble::Trouble;

/// Hash slots of every cluster.
const SLOTS: u16 = 16_384;

/// The owners of the slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map {
    ranges: Vec<(u16, u16, Node)>,
    corrected: HashMap<u16, Node>,
}

impl Map {
    /// What `asked` answers to CLUSTER SLOTS.
    pub(super) fn read(answer: Value, asked: &Node) -> Result<Self, Trouble> {
        let garbled = || Trouble::Garbled("CLUSTER SLOTS is not what a cluster says".to_owned());
        let Value::Array(entries) = answer else {
            return Err(garbled());
        };
        let mut map = Self::default();
        for entry in entries {
            let Value::Array(parts) = entry else {
                return Err(garbled());
            };
            // What follows are its replicas.
            let [Value::Int(first), Value::Int(last), Value::Array(owner), ..] = parts.as_slice()
            else {
                return Err(garbled());
            };
            let [host, Value::Int(port), ..] = owner.as_slice() else {
                return Err(garbled());
            };
            let slots = u16::try_from(*first).ok().zip(u16::try_from(*last).ok());
            let port = u16::try_from(*port).ok().filter(|port| *port > 0);
            let ((first, last), port) = slots.zip(port).ok_or_else(garbled)?;
            let host = match host {
                Value::BulkString(host) => str::from_utf8(host).map_err(|_| garbled())?,
                Value::SimpleString(host) => host,
                _ => "",
            };
            map.ranges.push((first, last, node(host, port, asked)));
        }
        Ok(map)
    }

    /// Who serves `slot`.
    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        let of = |(first, last, _): &&(u16, u16, Node)| (*first..=*last).contains(&slot);
        let range = || self.ranges.iter().find(of).map(|(_, _, node)| node);
        self.corrected.get(&slot).or_else(range)
    }

    /// It was said to be elsewhere.
    pub(super) fn correct(&mut self, slot: u16, node: Node) {
        self.corrected.insert(slot, node);
    }

    /// All owners.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.ranges.iter().map(|(_, _, node)| node)
    }
}

/// A node that does not know its own host is where we found the one that says so.
fn node(host: &str, port: u16, asked: &Node) -> Node {
    let host = if matches!(host, "" | "?") {
        &asked.host
    } else {
        host
    };
    Node {
        host: host.to_owned(),
        port,
    }
}

/// Slot and node in the words of a redirection, `SLOT HOST:PORT`, that `asked` sent.
pub(super) fn elsewhere(words: &str, asked: &Node) -> Option<(u16, Node)> {
    let (slot, place) = words.trim().split_once(' ')?;
    let (host, port) = place.rsplit_once(':')?;
    let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some((slot, node(host, port, asked)))
}

/// The slot of a hash tag: CRC-16/XMODEM, in which a cluster counts.
pub(super) fn slot(tag: &[u8]) -> u16 {
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let carry = crc & 0x8000 != 0;
            (crc << 1) ^ if carry { 0x1021 } else { 0 }
        })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Node {
        let host = host.to_owned();
        Node { host, port }
    }

    fn range(first: i64, last: i64, host: &str) -> Value {
        let owner = vec![Value::BulkString(host.into()), Value::Int(7)];
        Value::Array(vec![
            Value::Int(first),
            Value::Int(last),
            Value::Array(owner),
        ])
    }

    #[test]
    fn a_slot_is_counted_as_the_cluster_does() {
        // The test vector in the cluster's specification.
        assert_eq!(slot(b"123456789"), 0x31c3);
        // `redis-cli CLUSTER KEYSLOT foo`
        assert_eq!(slot(b"foo"), 12_182);
    }

    #[test]
    fn a_map_knows_owners_and_is_corrected() {
        let answer = Value::Array(vec![range(0, 9, "a"), range(10, 20, "")]);
        let mut map = Map::read(answer, &at("asked", 1)).unwrap();
        assert_eq!(map.owner(9), Some(&at("a", 7)));
        assert_eq!(map.owner(10), Some(&at("asked", 7)));
        assert_eq!(map.owner(21), None);
        map.correct(9, at("b", 8));
        assert_eq!(map.owner(9), Some(&at("b", 8)));
        assert_eq!(map.owner(8), Some(&at("a", 7)));
    }

    #[test]
    fn what_is_no_map_is_garbled() {
        for answer in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])]),
            Value::Array(vec![range(-1, 2, "a")]),
        ] {
            let read = Map::read(answer, &at("asked", 1));
            assert!(matches!(read, Err(Trouble::Garbled(_))));
        }
    }

    #[test]
    fn a_redirection_names_a_node() {
        let read = |words| elsewhere(words, &at("asked", 1));
        assert_eq!(read("42 10.0.0.1:7"), Some((42, at("10.0.0.1", 7))));
        assert_eq!(read("42 ::1:7"), Some((42, at("::1", 7))));
        assert_eq!(read("42 :7"), Some((42, at("asked", 7))));
        for words in ["", "42", "42 a", "42 a:0", "16384 a:7", "x a:7"] {
            assert_eq!(read(words), None, "{words}");
        }
    }
}
