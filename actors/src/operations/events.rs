//! What happens, live.

use super::Operations;
use crate::events::Listening;

impl Operations {
    /// Listens to what happens from here on. `None`: as many listen as may.
    #[must_use]
    pub fn events(&self) -> Option<Listening> {
        self.house.events.listen()
    }
}
