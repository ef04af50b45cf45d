//! `settings`: a component's section of the settings, and the files of its folder.

use std::io;
use std::path::{Component, Path, PathBuf};

use wasmtime::Result;

use crate::plugin::bindings::interfaces::settings::{Entry, Host, Value};
use crate::plugin::state::State;

/// Size of a file that is handed out, in bytes. Templates are small.
const FILE_SIZE: u64 = 4 * 1024 * 1024;

impl Host for State {
    async fn all(&mut self) -> Result<Vec<Entry>> {
        self.count_host_call()?;
        Ok(self.profile.settings.clone())
    }

    async fn get(&mut self, key: String) -> Result<Option<Value>> {
        self.count_host_call()?;
        let settings = &self.profile.settings;
        let found = settings.binary_search_by(|entry| entry.key.as_str().cmp(&key));
        Ok(found.ok().map(|index| settings[index].value.clone()))
    }

    async fn files(&mut self) -> Result<Vec<String>> {
        self.count_host_call()?;
        let Some(folder) = &self.profile.files else { return Ok(Vec::new()) };
        Ok(names(folder).await.unwrap_or_else(|error| {
            let plugin = &*self.profile.name;
            tracing::warn!(plugin, folder = %folder.display(), %error, "the component's folder cannot be read");
            Vec::new()
        }))
    }

    async fn file(&mut self, name: String) -> Result<Option<String>> {
        self.count_host_call()?;
        let Some(path) = self.profile.files.as_deref().and_then(|folder| inside(folder, &name)) else {
            return Ok(None);
        };
        match text(&path).await {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let plugin = &*self.profile.name;
                tracing::warn!(plugin, file = %path.display(), %error, "the component's file cannot be read");
                Ok(None)
            }
        }
    }
}

/// The path of a file in the folder; none for a name that leads anywhere else.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == name && !name.starts_with('.') => {
            Some(folder.join(only))
        }
        _ => None,
    }
}

/// The names of the files in the folder, in order, without hidden ones.
async fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A link to a file is one: a site may keep its templates elsewhere.
        if !name.starts_with('.') && tokio::fs::metadata(entry.path()).await.is_ok_and(|kind| kind.is_file())
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

async fn text(path: &Path) -> io::Result<String> {
    let metadata = tokio::fs::metadata(path).await?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if metadata.len() > FILE_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    tokio::fs::read_to_string(path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let folder = Path::new("/templates");
        assert_eq!(inside(folder, "welcome.txt"), Some(PathBuf::from("/templates/welcome.txt")));
        for name in ["", ".", "..", "/etc/passwd", "../secret", "a/b", "a/../../b", ".hidden", "a/", "./a"] {
            assert_eq!(inside(folder, name), None, "{name}");
        }
    }

    #[tokio::test]
    async fn files_are_listed_in_order_without_hidden_ones_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", ".swp"] {
            std::fs::write(folder.path().join(name), "text").unwrap();
        }
        std::fs::create_dir(folder.path().join("c")).unwrap();
        assert_eq!(names(folder.path()).await.unwrap(), ["a.txt", "b.txt"]);
        assert_eq!(text(&folder.path().join("a.txt")).await.unwrap(), "text");
        assert_eq!(text(&folder.path().join("c")).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
