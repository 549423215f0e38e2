//! The answer to a request for a backup: the store's records on their way to the caller.

use std::io;

use storage::BackupEncoder;
use tokio::sync::mpsc;

use super::frame::Frames;
use crate::store::{Portion, StoreAddr};

/// Portions that may wait for the caller: with them the memory that a slow one holds has a bound.
const PORTIONS_MAX: usize = 4;

/// Asks the store for a backup and sends it on.
pub(super) async fn answer(frames: &mut Frames, store: &StoreAddr) -> io::Result<()> {
    let (sender, mut portions) = mpsc::channel(PORTIONS_MAX);
    if !store.back_up(sender) {
        return frames.fail("the store is too busy for a backup; try again").await;
    }
    let mut encoder = None;
    while let Some(portion) = portions.recv().await {
        match (portion, &mut encoder) {
            (Portion::Head(head), _) => {
                let mut begun = None;
                frames.data(|out| begun = Some(BackupEncoder::begin(head, out))).await?;
                encoder = begun;
            }
            (Portion::Records(records), Some(encoder)) => frames.data(|out| encoder.block(&records, out)).await?,
            (Portion::End, encoder) => {
                if let Some(encoder) = encoder.take() {
                    let end = |out: &mut Vec<u8>| _ = encoder.end(out);
                    frames.data(end).await?;
                }
                return frames.end().await;
            }
            (Portion::Refused(why), _) => return frames.fail(&why).await,
            (Portion::Records(_), None) => break,
        }
    }
    frames.fail("the store has failed or stops; its log says more").await
}
