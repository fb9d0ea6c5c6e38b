//! The last reports about containers that did not start, for the one who asks
//! why: in 4096 places by the container's name, which a container that is made
//! anew has again, so that whoever makes containers fail for ever fills no more.

use std::fs;

use serde::{Deserialize, Serialize};

use super::RecordError;
use super::codec::read_bytes;
use super::store::{Store, create_in_place, hash, io_error, remove, write_file};

/// Digits of a place's name. Others are of earlier releases, which nobody drops.
const DIGITS: usize = 3;

/// What went wrong with a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its id in its runtime.
    pub id: String,
    /// Its name, as far as one is known.
    pub name: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The report, as it was shown.
    pub text: String,
}

impl Store {
    fn report_path(&self, name: &str) -> std::path::PathBuf {
        let place = hash(&["report", name]);
        self.path("reports")
            .join(place.get(..DIGITS).unwrap_or("000"))
    }

    /// Keeps the last report about a container.
    pub fn keep_report(&self, report: &Report) -> Result<(), RecordError> {
        let path = self.report_path(&report.name);
        let bytes = serde_json::to_vec(report).map_err(|e| io_error(&path, e.into()))?;
        create_in_place(&path, |path| write_file(path, &bytes))
    }

    /// Forgets the report about the container of that name, which is well now.
    pub fn drop_report(&self, name: &str) -> Result<(), RecordError> {
        let path = self.report_path(name);
        let kept =
            read_bytes(&path)?.and_then(|bytes| serde_json::from_slice::<Report>(&bytes).ok());
        match kept {
            Some(report) if report.name == name => remove(&path),
            Some(_) | None => Ok(()),
        }
    }

    /// Every report that is kept and can be read, the latest first.
    pub fn reports(&self) -> Result<Vec<Report>, RecordError> {
        let mut reports: Vec<Report> = Vec::new();
        for entry in fs::read_dir(self.path("reports")).into_iter().flatten() {
            let Ok(entry) = entry else { continue };
            if entry.file_name().len() != DIGITS {
                continue;
            }
            let bytes = read_bytes(&entry.path())?.unwrap_or_default();
            reports.extend(serde_json::from_slice::<Report>(&bytes));
        }
        reports.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        Ok(reports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_kept_in_a_bounded_place_and_the_latest_comes_first() {
        let root = std::env::temp_dir().join(format!("pipework-reports-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        for at in 0..9000 {
            let report = Report {
                id: format!("c{at}"),
                name: format!("web{at}"),
                at,
                text: "pipework: no".to_owned(),
            };
            store.keep_report(&report).unwrap();
        }
        let kept = store.reports().unwrap();
        assert!((3000..=4096).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept[0].id, "c8999");
        store.drop_report("web8999").unwrap();
        assert_ne!(store.reports().unwrap()[0].id, "c8999");
        let folder = root.join("reports");
        fs::write(
            folder.join("ab"),
            r#"{"id":"c","name":"old","at":9999,"text":""}"#,
        )
        .unwrap();
        assert_ne!(store.reports().unwrap()[0].id, "c");
        fs::remove_dir_all(root).unwrap();
    }
}
