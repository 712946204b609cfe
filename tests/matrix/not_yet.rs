//! What does not hold yet, each cell with its reason. A cell that holds after all fails its test.

use orch_core::mcp::{Asking, ListKind, Revision};

use crate::client::Client;
use crate::feature::{Crossing, Feature, News};
use crate::fixture::Face;

/// A cell, and what is wrong with it.
type Excuse = (Client, Face, Feature, &'static str);

const NOT_YET: [Excuse; 0] = [];

/// Why a cell need not hold.
pub(crate) fn reason(client: Client, face: Face, feature: Feature) -> Option<&'static str> {
    let mut all = NOT_YET.iter();
    all.find(|cell| (cell.0, cell.1, cell.2) == (client, face, feature)).map(|cell| cell.3)
}
