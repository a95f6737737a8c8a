//! The file behind the file store: a redb database of three tables. Opens, checks, loads, appends; judges nothing.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `format`, `revision` | the version of this layout; the number of the last transaction |
//! | `cards` | row, from 0 in the order of creation | id, name, sku, category, price, description, created at |
//! | `stock` | row | stock, updated at |
//!
//! Times are microseconds since 1970 in UTC. Stock is apart from the cards so that a change writes little, however long the
//! description.

use super::{Shelf, StoreError, model::Accepted};
use crate::inventory::{Card, Product, Timestamp};
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const CARDS: TableDefinition<u64, CardRow> = TableDefinition::new("cards");
const STOCK: TableDefinition<u64, (i32, i64)> = TableDefinition::new("stock");

type CardRow<'a> = (&'a str, &'a str, &'a str, &'a str, f64, &'a str, i64);

/// The version of the layout above.
const FORMAT: u64 = 1;

/// redb's default is 1 GiB. Reads come from memory; what is cached here is what commits touch again and again.
const CACHE: usize = 32 << 20;

/// How the database is opened; a test puts a failing disk below it.
pub type Opener = Box<dyn Fn(&Path) -> Result<Database, redb::Error> + Send>;

/// An open store file, or one that could not be written and is to be opened again.
pub struct Disk {
    path: PathBuf,
    opener: Opener,
    database: Option<Database>,
    /// Of the last transaction that is known to be in the file.
    revision: u64,
}

/// Whether the transaction that failed last is in the file after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is.
    Kept,
    /// It is not.
    Lost,
}

impl Disk {
    /// Opens a store file and reads all of it. A file that is not there, or empty, is made first, with these products.
    pub fn open(path: &Path, products: &[Product], opener: Opener) -> Result<(Disk, Shelf), StoreError> {
        create_unless_there(path, products)?;
        let path = fs::canonicalize(path).map_err(|error| StoreError::io(path, error))?;
        let read = || {
            let database = opener(&path)?;
            let (format, revision) = versions(&database)?;
            let shelf = if format == FORMAT {
                load(&database)?
            } else {
                Shelf::default()
            };
            Ok((database, format, revision, shelf))
        };
        let (database, format, revision, shelf) = read().map_err(|error| explain(&path, error))?;
        if format != FORMAT {
            let (reads, path) = (FORMAT, path);
            return Err(StoreError::Format { path, format, reads });
        }
        let disk = Disk {
            path,
            opener,
            database: Some(database),
            revision,
        };
        Ok((disk, shelf))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the last transaction failed, so that [`Disk::reopen`] is next.
    pub fn is_broken(&self) -> bool {
        self.database.is_none()
    }

    /// Writes accepted changes in one transaction, new products from this row on. When this returns they are on the disk;
    /// when it fails, they are there in full or not at all, and the disk is broken.
    pub fn append(&mut self, accepted: &[Accepted], row: usize) -> Result<(), redb::Error> {
        let database = self.database.take().ok_or(redb::Error::PreviousIo)?;
        let revision = self.revision + 1;
        transact(&database, accepted, row, revision)?;
        self.revision = revision;
        self.database = Some(database);
        Ok(())
    }

    /// Opens the file again after a failed transaction: redb refuses a database on which writing failed. The file is what
    /// counts: a transaction whose last step failed may be in it.
    pub fn reopen(&mut self) -> Result<Doubt, redb::Error> {
        let database = (self.opener)(&self.path)?;
        let (_, revision) = versions(&database)?;
        let doubt = match revision.checked_sub(self.revision) {
            Some(0) => Doubt::Lost,
            Some(1) => Doubt::Kept,
            _ => return Err(damaged("it was changed by somebody else")),
        };
        self.revision = revision;
        self.database = Some(database);
        Ok(doubt)
    }
}

/// Opens a database that exists. Everything in it is read and checked: redb may panic over a damaged page that it trusts.
pub fn open_database(path: &Path) -> Result<Database, redb::Error> {
    Ok(builder().set_check_integrity_on_open(true).open(path)?)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

/// Makes a store file. It is built beside its place and moved there whole, for a file that a crash leaves half made would
/// be taken for a foreign one. Who builds holds the lock of the empty file in that place.
fn create_unless_there(path: &Path, products: &[Product]) -> Result<(), StoreError> {
    let failed = |error| StoreError::io(path, error);
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let place = options.open(path).map_err(failed)?;
    let metadata = place.metadata().map_err(failed)?;
    if metadata.len() > 0 {
        return Ok(());
    }
    match place.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.into() }),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let path = fs::canonicalize(path).map_err(failed)?;
    if fs::metadata(&path).map_err(failed)?.ino() != metadata.ino() {
        // Somebody else was quicker.
        return Err(StoreError::Locked { path });
    }
    let beside = PathBuf::from(OsString::from_iter([path.as_os_str(), ".new".as_ref()]));
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(StoreError::io(&beside, error)),
        _ => {}
    }
    let accepted: Vec<Accepted> = products.iter().cloned().map(Accepted::Created).collect();
    let build = || {
        let database = builder().create(&beside)?;
        transact(&database, &accepted, 0, 0)?;
        Ok(database.close()?)
    };
    build().map_err(|error| explain(&beside, error))?;
    fs::rename(&beside, &path).map_err(failed)?;
    // The name is kept by the folder.
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// One transaction. redb's default durability is that a commit returns when it is on the disk (`Durability::Immediate`).
fn transact(database: &Database, accepted: &[Accepted], row: usize, revision: u64) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FORMAT)?;
        meta.insert("revision", revision)?;
        let (mut cards, mut stock) = (transaction.open_table(CARDS)?, transaction.open_table(STOCK)?);
        let mut next = row;
        for accepted in accepted {
            let product = accepted.product();
            let row = match accepted {
                Accepted::Changed { row, .. } => *row as u64,
                Accepted::Created(_) => {
                    let row = next as u64;
                    next += 1;
                    cards.insert(row, row_of(&product.card))?;
                    row
                }
            };
            stock.insert(row, (product.stock, product.updated_at.timestamp_micros()))?;
        }
    }
    Ok(transaction.commit()?)
}

/// Makes an empty database an empty store.
#[cfg(test)]
pub fn format(database: &Database) -> Result<(), redb::Error> {
    transact(database, &[], 0, 0)
}

fn row_of(card: &Card) -> CardRow<'_> {
    let created = card.created_at.timestamp_micros();
    (
        &card.id,
        &card.name,
        &card.sku,
        &card.category,
        card.price,
        &card.description,
        created,
    )
}

/// Format and revision.
fn versions(database: &Database) -> Result<(u64, u64), redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    let number = |key| Ok::<_, redb::Error>(meta.get(key)?.map(|number| number.value()));
    match (number("format")?, number("revision")?) {
        (Some(format), Some(revision)) => Ok((format, revision)),
        _ => Err(damaged("it does not say its format")),
    }
}

fn load(database: &Database) -> Result<Shelf, redb::Error> {
    let transaction = database.begin_read()?;
    let (cards, stock) = (transaction.open_table(CARDS)?, transaction.open_table(STOCK)?);
    let mut stock = stock.iter()?;
    let mut shelf = Shelf::default();
    for card in cards.iter()? {
        let (row, card) = card?;
        let (id, name, sku, category, price, description, created) = card.value();
        let wrong = |what| damaged(&format!("row {}: {what}", row.value()));
        let (stock_row, stock) = stock.next().ok_or_else(|| wrong("no stock"))??;
        if row.value() != shelf.len() as u64 || stock_row.value() != row.value() {
            return Err(wrong("out of order"));
        }
        if shelf.row_of_id(id).is_some() || shelf.row_of_sku(sku).is_some() {
            return Err(wrong("its id or SKU is there twice"));
        }
        let (stock, updated) = stock.value();
        let time = |micros| Timestamp::from_timestamp_micros(micros).ok_or_else(|| wrong("no time"));
        let card = Card {
            id: id.into(),
            name: name.into(),
            sku: sku.into(),
            category: category.into(),
            price,
            description: description.into(),
            created_at: time(created)?,
        };
        shelf.push(Product {
            card: Arc::new(card),
            stock,
            updated_at: time(updated)?,
        });
    }
    match stock.next() {
        None => Ok(shelf),
        Some(_) => Err(damaged("more stocks than products")),
    }
}

fn damaged(what: &str) -> redb::Error {
    redb::Error::Corrupted(what.to_owned())
}

/// What an error means to who named the file.
fn explain(path: &Path, error: redb::Error) -> StoreError {
    use redb::Error;
    let path = path.to_owned();
    match error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => StoreError::Locked { path },
        Error::UpgradeRequired(_)
        | Error::TableDoesNotExist(_)
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TypeDefinitionChanged { .. } => StoreError::Foreign { path },
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => StoreError::Foreign { path },
        Error::Io(error) if error.kind() != ErrorKind::UnexpectedEof => StoreError::io(&path, error),
        Error::Corrupted(what) => StoreError::Damaged { path, what },
        error => StoreError::Damaged {
            path,
            what: error.to_string(),
        },
    }
}

impl StoreError {
    fn io(path: &Path, source: io::Error) -> StoreError {
        StoreError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::samples;
    use tempfile::TempDir;

    fn open(path: &Path) -> Result<(Disk, Shelf), StoreError> {
        Disk::open(path, &samples(), Box::new(open_database))
    }

    /// A store file of four products, closed.
    fn made() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.redb");
        open(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn a_new_file_has_the_samples_and_keeps_them_to_the_microsecond() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new.redb");
        let wanted = samples();
        let opener = || Box::new(open_database);
        let (disk, shelf) = Disk::open(&path, &wanted, opener()).unwrap();
        assert_eq!(shelf.products().cloned().collect::<Vec<_>>(), wanted);
        drop(disk);
        let (_, shelf) = Disk::open(&path, &samples(), opener()).unwrap();
        assert_eq!(shelf.products().cloned().collect::<Vec<_>>(), wanted);
        // Nothing is left of how it was made.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_of_a_first_start_is_made_anew() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.redb");
        fs::write(&path, "").unwrap();
        fs::write(folder.path().join("store.redb.new"), [0; 5000]).unwrap();
        let (_, shelf) = open(&path).unwrap();
        assert_eq!(shelf.len(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_opened_once() {
        let (_folder, path) = made();
        let first = open(&path).unwrap();
        assert!(matches!(open(&path), Err(StoreError::Locked { .. })));
        drop(first);
        open(&path).unwrap();
    }

    #[test]
    fn an_empty_file_that_somebody_is_about_to_fill_is_in_use() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.redb");
        let other = File::create(&path).unwrap();
        other.lock().unwrap();
        assert!(matches!(open(&path), Err(StoreError::Locked { .. })));
        drop(other);
        open(&path).unwrap();
    }

    #[test]
    fn foreign_files_are_refused_and_stay_as_they_are() {
        let folder = TempDir::new().unwrap();
        for (name, content) in [("note.txt", &b"milk"[..]), ("zeros", &[0; 200_000])] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            assert!(matches!(open(&path), Err(StoreError::Foreign { .. })), "{name}");
            assert_eq!(fs::read(&path).unwrap(), content, "{name}");
        }
        let path = folder.path().join("other.redb");
        let other = Database::create(&path).unwrap();
        let transaction = other.begin_write().unwrap();
        let table = TableDefinition::<&str, &str>::new("meta");
        transaction.open_table(table).unwrap().insert("format", "mine").unwrap();
        transaction.commit().unwrap();
        drop(other);
        assert!(matches!(open(&path), Err(StoreError::Foreign { .. })));
    }

    #[test]
    fn what_cannot_be_opened_is_told_with_its_cause() {
        let folder = TempDir::new().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("no/such/folder.redb")] {
            assert!(matches!(open(&path), Err(StoreError::Io { .. })), "{}", path.display());
        }
    }

    #[test]
    fn another_format_is_refused() {
        let (_folder, path) = made();
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert("format", FORMAT + 1)
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        let Err(StoreError::Format { format, reads, .. }) = open(&path) else {
            panic!("it was opened");
        };
        assert_eq!((format, reads), (FORMAT + 1, FORMAT));
    }

    #[test]
    fn tables_that_do_not_fit_together_are_damage() {
        type Break = fn(&redb::WriteTransaction);
        let breaks: [(&str, Break); 4] = [
            ("no stock", |t| drop(t.open_table(STOCK).unwrap().remove(3).unwrap())),
            ("a gap", |t| drop(t.open_table(CARDS).unwrap().remove(1).unwrap())),
            ("a stock too many", |t| {
                drop(t.open_table(STOCK).unwrap().insert(4, (1, 1)).unwrap())
            }),
            ("a time", |t| {
                drop(t.open_table(STOCK).unwrap().insert(3, (1, i64::MAX)).unwrap())
            }),
        ];
        for (what, damage) in breaks {
            let (_folder, path) = made();
            let database = Database::open(&path).unwrap();
            let transaction = database.begin_write().unwrap();
            damage(&transaction);
            transaction.commit().unwrap();
            drop(database);
            assert!(matches!(open(&path), Err(StoreError::Damaged { .. })), "{what}");
        }
    }

    #[test]
    fn bytes_that_changed_are_noticed_or_do_not_matter() {
        let (folder, path) = made();
        let whole = fs::read(&path).unwrap();
        let (_, shelf) = open(&path).unwrap();
        let wanted: Vec<Product> = shelf.products().cloned().collect();
        let copy = folder.path().join("copy.redb");
        let mut noticed = 0;
        // A prime, so that every part of a page has its turn.
        for place in (9..whole.len()).step_by(997) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x55;
            fs::write(&copy, bytes).unwrap();
            match open(&copy) {
                Ok((_, shelf)) => assert_eq!(shelf.products().cloned().collect::<Vec<_>>(), wanted, "{place}"),
                Err(StoreError::Damaged { .. } | StoreError::Foreign { .. }) => noticed += 1,
                Err(other) => panic!("{place}: {other}"),
            }
        }
        assert!(noticed > 0);
        for length in [9, 100, 4096, whole.len() / 2, whole.len() - 1] {
            fs::write(&copy, &whole[..length]).unwrap();
            match open(&copy) {
                Ok((_, shelf)) => assert_eq!(shelf.products().cloned().collect::<Vec<_>>(), wanted, "{length}"),
                Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{length}: {error:?}"),
            }
        }
    }
}
