//! A mixed day: all users at once, while a folder changes and is indexed and a ranker is swapped.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Options;
use crate::cases::users::CLASSES;
use crate::folder::{Changing, Swapper, index_while};
use crate::load::{Crowd, attack, scenario};
use crate::report::{Part, Report, Row};
use crate::server::Server;
use crate::tally::Tally;

/// The default ranker, which every search passes through.
const RANKER: &str = "rank-fields";

pub async fn run(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/.built");
    let (mut changing, mut swapper) = (Changing::new()?, Swapper::new(&plugins, RANKER)?);
    let more: [&OsStr; 4] = [
        OsStr::new("--plugins"),
        swapper.folder().as_os_str(),
        OsStr::new("--allow-root"),
        changing.path().as_os_str(),
    ];
    let server = Server::start(&options.server, &options.tree, &more).await?;
    report.corpus = server.corpus.clone();
    let crowd = Crowd::gather(&server, &options.tree).await?;
    report.notes.push(format!(
        "The mixed day: all users at once, a folder of 100 files of which a tenth changes between two runs of the \
         indexer, and `{RANKER}` replaced by a file that the server has never seen. Every change makes other cache keys."
    ));

    let users: usize = CLASSES.iter().map(|class| class.users).sum();
    let spawn: usize = CLASSES.iter().map(|class| class.spawn).sum();
    let minutes = options.minutes.unwrap_or(options.size(10.0, 0.25));
    let time = Duration::from_secs_f64(60.0 * minutes);
    let pause = options.size(Duration::from_secs(5), Duration::from_secs(2));
    eprintln!("a day of {} s with {users} users …", time.as_secs());
    let (before, began) = (server.moment(), Instant::now());
    let end = began + time;
    let scenarios = CLASSES.iter().map(|class| scenario(&crowd, class)).collect::<anyhow::Result<Vec<_>>>()?;
    let (attacked, indexed, swapped) = tokio::join!(
        attack(scenarios, (users, spawn), time),
        index_while(&server.client, &mut changing, pause, end),
        swapper.swap_while(&server.client, pause, end),
    );
    attacked?;
    let (used, lasted) = (before.until_now(), began.elapsed());

    let (load, mut whole) = (format!("{users} users"), Tally::default());
    for ((class, task), tally) in crowd.take() {
        whole.merge(tally.clone());
        report.push(Row::new(Part::Day, format!("{class}: {task}"), "mixed", load.clone(), tally, lasted));
    }
    let mut row = Row::new(Part::Day, "all requests of users", "mixed", load.clone(), whole, lasted);
    row.server = Some(used);
    report.push(row);
    report.push(Row::new(Part::Day, "a changed folder, until it is searchable", "", load.clone(), indexed?, lasted));
    report.push(Row::new(Part::Day, "a new ranker, until it serves", "", load, swapped?, lasted));
    Ok(())
}
