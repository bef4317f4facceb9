//! Rights that one host at a time has, as advisory locks of one connection that does nothing else. The same
//! connection is the probe: while it cannot be made anew, the server is away, and calls need not wait to learn it.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::connections::{GREETING, bound_on_server};
use super::failure::{failure, server_is_away};
use crate::store::{Lease, StoreError};

/// How often the connection is asked whether it is still there: what a lost lease needs to be noticed.
const PROBE: Duration = Duration::from_secs(1);

/// A host that has not got its own lease after so many probes is not alone with its name.
const PATIENCE: u32 = 15;

const RETRY: Duration = Duration::from_millis(500);

enum Command {
    Take {
        name: String,
        reply: oneshot::Sender<Result<Option<Lease>, StoreError>>,
    },
    /// Given back; the token tells this holder from a later one.
    Release {
        key: i64,
        lost: CancellationToken,
    },
}

/// The handle of the task that owns the connection.
pub(super) struct Keeper {
    commands: mpsc::UnboundedSender<Command>,
    task: AbortHandle,
}

impl Keeper {
    /// Holds `own` for as long as the connection lives, and takes it again after every loss of it.
    pub(super) fn start(connect: PgConnectOptions, own: &str) -> (Self, watch::Receiver<Option<String>>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (away, state) = watch::channel(None);
        let keeping = Keeping { connect, own: key(own), receiver, commands: commands.downgrade(), away };
        let task = tokio::spawn(keeping.run()).abort_handle();
        (Self { commands, task }, state)
    }

    /// None while another holder has it.
    pub(super) async fn take(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let closed = || StoreError::Unavailable("the store is closed".into());
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Take { name: name.to_owned(), reply }).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// All leases end.
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Keeping {
    connect: PgConnectOptions,
    own: i64,
    receiver: mpsc::UnboundedReceiver<Command>,
    /// For leases to come back by; weak, so that the store's handle alone keeps the task alive.
    commands: mpsc::WeakUnboundedSender<Command>,
    /// Why the server cannot be reached at present.
    away: watch::Sender<Option<String>>,
}

/// The leases of one connection. They are lost with it.
#[derive(Default)]
struct Held(HashMap<i64, CancellationToken>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.values().for_each(CancellationToken::cancel);
    }
}

impl Keeping {
    async fn run(mut self) {
        loop {
            let error = match timeout(GREETING, self.connection()).await {
                Ok(Ok(connection)) => {
                    if self.away.send_replace(None).is_some() {
                        tracing::info!("the database is back");
                    }
                    let began = Instant::now();
                    let Err(error) = self.serve(connection).await else { return };
                    tracing::warn!(%error, "the connection that holds leases is lost, and they with it");
                    // What breaks at once may break again: not as fast as it can.
                    if began.elapsed() < RETRY && !self.refuse(failure(error)).await {
                        return;
                    }
                    continue;
                }
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
            };
            if server_is_away(&error) && self.away.send_replace(Some(error.to_string())).is_none() {
                tracing::error!(%error, "the database is away");
            }
            if !self.refuse(failure(error)).await {
                return;
            }
        }
    }

    async fn connection(&self) -> sqlx::Result<PgConnection> {
        let mut connection = self.connect.connect().await?;
        bound_on_server(&mut connection, GREETING).await?;
        Ok(connection)
    }

    /// Answers for a while that nothing can be had. False at the end.
    async fn refuse(&mut self, error: StoreError) -> bool {
        let until = Instant::now() + RETRY;
        while let Ok(command) = tokio::time::timeout_at(until, self.receiver.recv()).await {
            match command {
                Some(Command::Take { reply, .. }) => drop(reply.send(Err(error.clone()))),
                Some(Command::Release { .. }) => {}
                None => return false,
            }
        }
        true
    }

    /// Until the store is closed, or the connection is lost.
    async fn serve(&mut self, mut connection: PgConnection) -> sqlx::Result<()> {
        let mut held = Held::default();
        let mut probe = tokio::time::interval(PROBE);
        probe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tries = 0;
        loop {
            tokio::select! {
                command = self.receiver.recv() => match command {
                    None => {
                        let _ = timeout(GREETING, connection.close()).await;
                        return Ok(());
                    }
                    Some(command) => self.obey(command, &mut connection, &mut held).await?,
                },
                _ = probe.tick() => {
                    answered(connection.ping()).await?;
                    // Another host may have it for a moment, to adopt what ours left.
                    if held.0.contains_key(&self.own) {
                        continue;
                    }
                    if lock(&mut connection, self.own).await? {
                        held.0.insert(self.own, CancellationToken::new());
                        continue;
                    }
                    tries += 1;
                    if tries == PATIENCE {
                        tracing::error!(
                            "another host has this one's name: was the data folder copied? stop this one and delete \
                             the file `host` in it"
                        );
                    }
                }
            }
        }
    }

    async fn obey(&self, command: Command, connection: &mut PgConnection, held: &mut Held) -> sqlx::Result<()> {
        match command {
            Command::Take { name, reply } => {
                let key = key(&name);
                // The server would give it to the same connection twice.
                if held.0.contains_key(&key) {
                    let _ = reply.send(Ok(None));
                    return Ok(());
                }
                match lock(connection, key).await {
                    Ok(false) => drop(reply.send(Ok(None))),
                    Ok(true) => {
                        let lost = CancellationToken::new();
                        held.0.insert(key, lost.clone());
                        let hold = Hold { key, lost: lost.clone(), commands: self.commands.clone() };
                        // Whoever does not wait for it any more drops it, which gives it back.
                        let _ = reply.send(Ok(Some(Lease::new(lost, hold))));
                    }
                    Err(error) => {
                        let _ = reply.send(Err(StoreError::Unavailable(error.to_string())));
                        return Err(error);
                    }
                }
            }
            // A lease that was lost has nothing to give back.
            Command::Release { key, lost } => {
                if !lost.is_cancelled() && held.0.remove(&key).is_some() {
                    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(key);
                    answered(unlock.execute(connection)).await?;
                }
            }
        }
        Ok(())
    }
}

/// Part of a lease: gives it back when dropped.
struct Hold {
    key: i64,
    lost: CancellationToken,
    commands: mpsc::WeakUnboundedSender<Command>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.send(Command::Release { key: self.key, lost: self.lost.clone() });
        }
    }
}

async fn lock(connection: &mut PgConnection, key: i64) -> sqlx::Result<bool> {
    answered(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(key).fetch_one(connection)).await
}

async fn answered<T>(call: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(GREETING, call).await.map_err(late)?
}

/// The lock's number; other users of the same database are unlikely to hit it.
fn key(name: &str) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(format!("corsac lease {name}").as_bytes()).as_bytes()[..8]);
    i64::from_le_bytes(first)
}

/// The lease that a host has for as long as it lives.
pub(super) fn of_host(host: &str) -> String {
    format!("host:{host}")
}
