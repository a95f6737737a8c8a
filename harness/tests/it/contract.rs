//! The contract, looked at by buf: its style, and that it still is what was published.

use crate::support::{
    fixture,
    process::{self, Ended},
    python::Seed,
    root, tools, write,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Mistakes in the contract: a line, what it becomes, and how buf calls it.
const BREAKING: [(&str, &str, &str); 8] = [
    ("int32 page_size = 3;", "int32 page_size = 5;", "FIELD_NO_DELETE"),
    ("string sku = 2;", "bytes sku = 2;", "FIELD_SAME_TYPE"),
    ("int32 threshold = 2;", "int32 limit = 2;", "FIELD_SAME_NAME"),
    (
        "repeated string errors = 3;",
        "string errors = 3;",
        "FIELD_SAME_CARDINALITY",
    ),
    (
        "returns (stream StockUpdate);",
        "returns (StockUpdate);",
        "RPC_SAME_SERVER_STREAMING",
    ),
    ("BulkImport (stream ", "BulkImport (", "RPC_SAME_CLIENT_STREAMING"),
    ("rpc GetProduct (", "rpc ReadProduct (", "RPC_NO_DELETE"),
    ("package inventory;", "package inventory.v2;", "FILE_SAME_PACKAGE"),
];

/// Lapses of style.
const LINT: [(&str, &str, &str); 3] = [
    (
        "string description = 7;",
        "string Description = 7;",
        "FIELD_LOWER_SNAKE_CASE",
    ),
    ("service InventoryService {", "service Inventory {", "SERVICE_SUFFIX"),
    ("// Returns one product by its id.", "", "COMMENT_RPC"),
];

/// A place for a changed contract, with the configuration beside it.
struct Changed {
    folder: TempDir,
}

impl Changed {
    /// The contract with `old` turned into `new`.
    fn contract(old: &str, new: &str) -> Changed {
        let text = fs::read_to_string(root().join("proto/inventory.proto")).unwrap();
        let text = match old.starts_with("//") {
            true => without_comment(&text, old),
            false => text.replacen(old, new, 1),
        };
        let changed = Changed::default();
        write(changed.path(), "inventory.proto", &text);
        changed
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for Changed {
    fn default() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["inventory.proto", "buf.yaml"] {
            fs::copy(root().join("proto").join(name), folder.path().join(name)).unwrap();
        }
        Changed { folder }
    }
}

/// The text without the block of comments that begins with a line.
fn without_comment(text: &str, first: &str) -> String {
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        inside = line.trim() == first || inside && line.trim().starts_with("//");
        !inside
    });
    kept.map(|line| format!("{line}\n")).collect()
}

fn buf(buf: &Path, arguments: &[&str], folders: &[&Path]) -> Ended {
    let mut command = Command::new(buf);
    command.args(arguments).arg(folders[0]);
    if let Some(against) = folders.get(1) {
        command.arg("--against").arg(against);
    }
    process::run(&mut command, Duration::from_secs(60))
}

fn published() -> PathBuf {
    fixture("cases/published")
}

#[test]
fn the_contract_breaks_nothing_that_was_published() {
    let Some(tool) = tools::buf("the_contract_breaks_nothing_that_was_published") else {
        return;
    };
    let breaking = |contract: &Path| {
        buf(
            &tool,
            &["breaking", "--error-format", "json"],
            &[contract, &published()],
        )
    };
    let ended = buf(&tool, &["breaking"], &[&root().join("proto"), &published()]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());

    for (old, new, rule) in BREAKING {
        let changed = Changed::contract(old, new);
        let ended = breaking(changed.path());
        assert_eq!(ended.code, Some(100), "{old} -> {new}: {}", ended.shown());
        assert!(ended.stdout.contains(rule), "{old} -> {new}: {}", ended.shown());
    }
}

#[test]
fn the_published_contract_is_that_of_the_post() {
    let test = "the_published_contract_is_that_of_the_post";
    let (Some(tool), Some(post), Some(python)) = (tools::buf(test), tools::post(test), tools::python(test)) else {
        return;
    };
    let seed = Seed::extract(&python, &post);
    // Nothing was taken away, nothing was added.
    for pair in [[&published(), &seed.protos()], [&seed.protos(), &published()]] {
        let ended = buf(&tool, &["breaking"], &pair.map(PathBuf::as_path));
        assert_eq!(ended.code, Some(0), "{pair:?}: {}", ended.shown());
    }
}

#[test]
fn the_contract_has_buf_s_style_but_for_what_was_published() {
    let Some(tool) = tools::buf("the_contract_has_buf_s_style_but_for_what_was_published") else {
        return;
    };
    let lint = |contract: &Path| buf(&tool, &["lint", "--error-format", "json"], &[contract]);
    let ended = lint(&root().join("proto"));
    assert_eq!(ended.code, Some(0), "{}", ended.shown());

    for (old, new, rule) in LINT {
        let ended = lint(Changed::contract(old, new).path());
        assert_eq!(ended.code, Some(100), "{old} -> {new}: {}", ended.shown());
        assert!(ended.stdout.contains(rule), "{old} -> {new}: {}", ended.shown());
    }

    // No exception is idle.
    let configuration = fs::read_to_string(root().join("proto/buf.yaml")).unwrap();
    let (_, exceptions) = configuration.split_once("  except:\n").unwrap();
    let (exceptions, _) = exceptions.split_once("breaking:\n").unwrap();
    for line in exceptions.lines().filter(|line| line.trim().starts_with("- ")) {
        let changed = Changed::default();
        write(
            changed.path(),
            "buf.yaml",
            &configuration.replace(&format!("{line}\n"), ""),
        );
        let ended = lint(changed.path());
        assert_eq!(ended.code, Some(100), "{line} excepts nothing: {}", ended.shown());
    }
}
