"""Pages opened in headless Chromium, without network, as a visitor would."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SIZE = (1100, 760)
# Software rendering, and no address that can be reached.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
    "--virtual-time-budget=600", f"--window-size={SIZE[0]},{SIZE[1]}",
)  # fmt: skip


def find_chromium() -> str:
    """Return the browser, or skip and say so."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(names)} is installed: the map is not tried in a browser")
    return found


class Browser:
    """Opens one page, with a script put at its end, as often as asked.

    Parameters
    ----------
    page : str
        HTML.
    folder : Path
        For its files.
    """

    def __init__(self, page: str, folder: Path) -> None:
        self.page, self.folder, self.binary = page, folder, find_chromium()

    def ask(self, script: str, *flags: str) -> Any:
        """Return what ``answer`` holds after a script has run, by way of JSON."""
        script = (
            f"let answer = null; {script}; document.body.append(Object.assign("
            "document.createElement('pre'), {id: 'answer', textContent: JSON.stringify(answer)}))"
        )
        dom = self._run(script, "--dump-dom", *flags).stdout
        assert '<pre id="answer">' in dom, dom[-2000:]
        return json.loads(html.unescape(dom.split('<pre id="answer">')[1].split("</pre>")[0]))

    def photograph(self, script: str = "") -> np.ndarray:
        """Return what is seen after a script has run, (height, width, 3) of uint8."""
        picture = self.folder / "seen.png"
        picture.unlink(missing_ok=True)
        done = self._run(script, f"--screenshot={picture}")
        assert picture.is_file(), done.stderr[-2000:]
        return np.asarray(Image.open(picture).convert("RGB"))

    def _run(self, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
        file = self.folder / "page.html"
        # Chromium enlarges the window before it takes a picture; the page's height stays.
        style = "<style>html, body { height: 560px !important; }</style></head>"
        page = self.page.replace("</head>", style)
        file.write_text(page.replace("</body>", f"<script>{script}</script></body>"))
        profile = f"--user-data-dir={self.folder / 'profile'}"
        command = [self.binary, *FLAGS, *flags, profile, file.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
