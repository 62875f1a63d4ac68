//! The connections of one store: one to its server, or one to each node of a cluster that is needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::address::{Address, Node};
use super::cluster::Map;
use super::config::Config;
use super::inbox::Inbox;
use super::link::Link;
use super::reach::Peer;
use super::sentinel;
use super::trouble::Trouble;
use super::turn::Turn;
use crate::lease::Effect;

/// So long what was said of all slots is not asked again: whoever lists leases needs all nodes at once.
const NEWS: Duration = Duration::from_secs(1);

/// Opened when they are first needed, and again after they broke.
#[derive(Debug, Default)]
pub(super) struct Links {
    turn: Turn,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// The one to the server that is no node of a cluster.
    single: Option<Arc<Link>>,
    nodes: HashMap<Node, Arc<Link>>,
    map: Map,
    looked_up: Option<Instant>,
    /// Slots whose owner a node has just corrected: believed before anybody is asked again.
    corrected: HashMap<u16, Node>,
    /// Where the next request for a slot goes, once, while the slot moves.
    detours: HashMap<u16, Node>,
    /// The connections of detours, by slot. They live until the slot has moved.
    asking: HashMap<u16, Arc<Link>>,
}

impl Links {
    /// The connection to whoever serves `slot`.
    pub(super) async fn to(
        &self,
        config: &Config,
        inbox: &Arc<Inbox>,
        slot: u16,
    ) -> Result<Arc<Link>, Trouble> {
        let mut open = self.open.lock().await;
        if let Address::Cluster(seeds) = &config.address {
            return self.to_owner(&mut open, (config, inbox), seeds, slot).await;
        }
        if let Some(link) = open.single.as_ref().filter(|link| !link.is_broken()) {
            return Ok(Arc::clone(link));
        }
        open.single = None;
        let opened = match &config.address {
            Address::Tcp(node) => Link::open(config, Peer::Tcp(node), inbox).await?,
            Address::Unix(path) => Link::open(config, Peer::Unix(path), inbox).await?,
            Address::Sentinels(of) => sentinel::primary(config, of, &self.turn, inbox).await?,
            Address::Cluster(_) => return Err(nobody(slot)),
        };
        let opened = Arc::new(opened);
        open.single = Some(Arc::clone(&opened));
        Ok(opened)
    }

    async fn to_owner(
        &self,
        open: &mut Open,
        with: (&Config, &Arc<Inbox>),
        seeds: &[Node],
        slot: u16,
    ) -> Result<Arc<Link>, Trouble> {
        open.nodes.retain(|_, link| !link.is_broken());
        if let Some(node) = open.detours.remove(&slot) {
            return open.detour(with, slot, &node).await;
        }
        if let Some(link) = open.map.owner(slot).and_then(|node| open.nodes.get(node)) {
            return Ok(Arc::clone(link));
        }
        let node = match open.corrected.remove(&slot) {
            Some(node) => node,
            None => {
                if open.looked_up.is_none_or(|at| at.elapsed() > NEWS) {
                    self.look_up(open, with, seeds, slot).await?;
                }
                open.map.owner(slot).cloned().ok_or_else(|| nobody(slot))?
            }
        };
        if let Some(link) = open.nodes.get(&node) {
            return Ok(Arc::clone(link));
        }
        let looked_up = open.looked_up.take();
        let opened = Link::open(with.0, Peer::Tcp(&node), with.1).await;
        let opened = Arc::new(opened.map_err(|trouble| trouble.at(&format!("node {node}")))?);
        open.looked_up = looked_up;
        open.nodes.insert(node, Arc::clone(&opened));
        Ok(opened)
    }

    /// Asks those in the URL and those that were known who serves what.
    async fn look_up(
        &self,
        open: &mut Open,
        (config, inbox): (&Config, &Arc<Inbox>),
        seeds: &[Node],
        slot: u16,
    ) -> Result<(), Trouble> {
        let mut nodes: Vec<Node> = seeds.to_vec();
        for known in open.map.nodes() {
            if !nodes.contains(known) {
                nodes.push(known.clone());
            }
        }
        let mut round = self.turn.ask(nodes.len(), |at| {
            let (config, inbox, node) = (config.clone(), Arc::clone(inbox), nodes.get(at).cloned());
            async move {
                let node = node.ok_or_else(|| nobody(0))?;
                let asked = Link::open(&config, Peer::Tcp(&node), &inbox).await;
                let asked = match asked {
                    Ok(link) => link.slots(&node).await.map(|map| (map, link)),
                    Err(trouble) => Err(trouble),
                };
                let (map, link) = asked.map_err(|trouble| trouble.at(&format!("node {node}")))?;
                Ok::<_, Trouble>((map, node, link))
            }
        });
        let mut kept = None;
        // Whoever answers is not asked first the next time: one that is cut off from its cluster answers, too.
        while let Some((_, answer)) = round.answer().await {
            match answer {
                Ok((map, node, link)) => {
                    if map.owner(slot) == Some(&node) {
                        open.nodes.insert(node, Arc::new(link));
                    }
                    (open.map, open.looked_up) = (map, Some(Instant::now()));
                    return Ok(());
                }
                Err(trouble) => trouble.keep_in(&mut kept),
            }
        }
        Err(kept.unwrap_or_else(|| nobody(0)))
    }

    /// A node has said that `slot` is elsewhere: for good, or for one request.
    pub(super) async fn learn(&self, slot: u16, node: Node, for_once: bool) {
        let mut open = self.open.lock().await;
        if for_once {
            open.detours.insert(slot, node);
        } else {
            open.asking.remove(&slot);
            open.map.correct(slot, node.clone());
            open.corrected.insert(slot, node);
        }
    }
}

impl Open {
    async fn detour(
        &mut self,
        (config, inbox): (&Config, &Arc<Inbox>),
        slot: u16,
        node: &Node,
    ) -> Result<Arc<Link>, Trouble> {
        let known = self.asking.get(&slot).filter(|link| !link.is_broken());
        if let Some(link) = known {
            return Ok(Arc::clone(link));
        }
        let opened = Link::open(config, Peer::Tcp(node), inbox).await;
        let opened = opened.map_err(|trouble| trouble.at(&format!("node {node}")))?;
        let opened = Arc::new(opened.asking());
        self.asking.insert(slot, Arc::clone(&opened));
        Ok(opened)
    }
}

fn nobody(slot: u16) -> Trouble {
    let why = format!("no node of the cluster serves the slot {slot}");
    Trouble::Silent(Effect::None, why)
}
