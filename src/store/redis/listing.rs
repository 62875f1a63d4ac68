//! All leases of a store, shard by shard.

use std::sync::Arc;

use redis::Value;

use super::answer;
use super::keys::{SHARDS, index, slot_of};
use super::link::Link;
use super::store::RedisStore;
use super::trouble::Trouble;
use super::wire::Request;
use crate::lease::{LeaseName, LeaseState, Observation};

/// Names of one shard in one answer.
const PAGE: usize = 200;
/// Leases in one write.
const BUNDLE: usize = 100;

/// Those that are held or shut, or have a record, by name.
pub(super) async fn list(store: &RedisStore, prefix: &str) -> Result<Vec<Observation>, Trouble> {
    let mut names = store.followed(|| names(store, prefix)).await?;
    names.sort();
    names.dedup();
    let mut all = look(store, &names).await?;
    all.retain(|seen| seen.record.is_some() || seen.state != LeaseState::Free);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// All of `names`, but those that cannot be read: they hide no other.
pub(super) async fn look(
    store: &RedisStore,
    names: &[LeaseName],
) -> Result<Vec<Observation>, Trouble> {
    store.followed(|| look_once(store, names)).await
}

async fn look_once(store: &RedisStore, names: &[LeaseName]) -> Result<Vec<Observation>, Trouble> {
    let of = |name: &LeaseName| store.keys(name).slot;
    let mut all = Vec::new();
    for (link, names) in by_node(store, names, of).await? {
        look_at(store, &link, &names, &mut all).await?;
    }
    Ok(all)
}

async fn look_at(
    store: &RedisStore,
    link: &Link,
    mut names: &[LeaseName],
    all: &mut Vec<Observation>,
) -> Result<(), Trouble> {
    // The first alone: it makes the script known to the server.
    let mut size = 1;
    while !names.is_empty() {
        let (bundle, rest) = names.split_at(size.min(names.len()));
        for (name, value) in bundle.iter().zip(looks(store, link, bundle).await?) {
            all.extend(answer::observed(value, name).ok());
        }
        (names, size) = (rest, BUNDLE);
    }
    Ok(())
}

async fn looks(
    store: &RedisStore,
    link: &Link,
    names: &[LeaseName],
) -> Result<Vec<Value>, Trouble> {
    let request = |name: &LeaseName| Request::observe(&store.keys(name), name);
    if let [name] = names {
        return Ok(vec![link.run(&request(name)).await?]);
    }
    let mut pipe = redis::pipe();
    for name in names {
        pipe.add_command(request(name).by_hash());
    }
    link.run_all(&pipe).await
}

/// What is asked of each connection: in a cluster, each node is asked for what it has.
async fn by_node<T: Clone>(
    store: &RedisStore,
    all: &[T],
    slot: impl Fn(&T) -> u16,
) -> Result<Vec<(Arc<Link>, Vec<T>)>, Trouble> {
    let mut groups: Vec<(Arc<Link>, Vec<T>)> = Vec::new();
    for one in all {
        let link = store.link_to(slot(one)).await?;
        match groups.iter_mut().find(|(of, _)| Arc::ptr_eq(of, &link)) {
            Some((_, group)) => group.push(one.clone()),
            None => groups.push((link, vec![one.clone()])),
        }
    }
    Ok(groups)
}

async fn names(store: &RedisStore, prefix: &str) -> Result<Vec<LeaseName>, Trouble> {
    let shards: Vec<u32> = (0..SHARDS).collect();
    let of = |shard: &u32| slot_of(&store.config.prefix, *shard);
    let mut found = Vec::new();
    for (link, shards) in by_node(store, &shards, of).await? {
        found.extend(names_of(store, &link, &shards, prefix).await?);
    }
    Ok(found)
}

async fn names_of(
    store: &RedisStore,
    link: &Link,
    shards: &[u32],
    prefix: &str,
) -> Result<Vec<LeaseName>, Trouble> {
    let mut found = Vec::new();
    // The end of names that begin so: they are UTF-8, so 0xff is above them all.
    let end = [b"(", prefix.as_bytes(), b"\xff"].concat();
    let mut open: Vec<(u32, Vec<u8>)> = shards
        .iter()
        .map(|shard| (*shard, [b"[", prefix.as_bytes()].concat()))
        .collect();
    while !open.is_empty() {
        let mut pipe = redis::pipe();
        for (shard, from) in &open {
            let key = index(&store.config.prefix, *shard);
            pipe.cmd("ZRANGEBYLEX").arg(key).arg(from.as_slice());
            pipe.arg(end.as_slice()).arg("LIMIT").arg(0).arg(PAGE);
        }
        let pages = link.run_all(&pipe).await?;
        let mut more = Vec::new();
        for ((shard, _), page) in open.iter().zip(pages) {
            let page = page_of(page)?;
            if let Some(last) = page.last().filter(|_| page.len() == PAGE) {
                more.push((*shard, [b"(", last.as_slice()].concat()));
            }
            // Whatever is no name of a lease is none of ours.
            let texts = page.iter().filter_map(|name| str::from_utf8(name).ok());
            found.extend(texts.filter_map(|name| LeaseName::new(name).ok()));
        }
        open = more;
    }
    Ok(found)
}

fn page_of(value: Value) -> Result<Vec<Vec<u8>>, Trouble> {
    redis::from_redis_value(value)
        .map_err(|_| Trouble::Garbled("the index of its leases is no list of names".to_owned()))
}
