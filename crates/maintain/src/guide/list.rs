//! All that the guide shows and that is measured. Known mistakes are in `mistakes/`: each patch says what the guide shows of it.

use super::item::Item;
use super::matrix;

/// In the order in which they begin.
pub(super) fn items() -> Vec<Item> {
    let mut items = Vec::new();
    items.extend(matrix::items());
    items
}
