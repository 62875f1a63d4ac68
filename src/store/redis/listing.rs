//! All leases of a store, shard by shard.

use redis::Value;

use super::answer;
use super::keys::{SHARDS, index};
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
    let link = store.link().await?;
    let mut names = names(store, &link, prefix).await?;
    names.sort();
    names.dedup();
    let mut all = look(store, &names).await?;
    all.retain(|seen| seen.record.is_some() || seen.state != LeaseState::Free);
    Ok(all)
}

/// All of `names`, but those that cannot be read: they hide no other.
pub(super) async fn look(
    store: &RedisStore,
    mut names: &[LeaseName],
) -> Result<Vec<Observation>, Trouble> {
    let link = store.link().await?;
    let mut all = Vec::new();
    // The first alone: it makes the script known to the server.
    let mut size = 1;
    while !names.is_empty() {
        let (bundle, rest) = names.split_at(size.min(names.len()));
        for (name, value) in bundle.iter().zip(looks(store, &link, bundle).await?) {
            all.extend(answer::observed(value, name).ok());
        }
        (names, size) = (rest, BUNDLE);
    }
    Ok(all)
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

async fn names(store: &RedisStore, link: &Link, prefix: &str) -> Result<Vec<LeaseName>, Trouble> {
    let mut found = Vec::new();
    // The end of names that begin so: they are UTF-8, so 0xff is above them all.
    let end = [b"(", prefix.as_bytes(), b"\xff"].concat();
    let mut open: Vec<(u32, Vec<u8>)> = (0..SHARDS)
        .map(|shard| (shard, [b"[", prefix.as_bytes()].concat()))
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
