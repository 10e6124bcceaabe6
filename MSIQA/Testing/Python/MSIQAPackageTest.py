"""Run by Slicer's build: the module finds its parts in the build tree."""

import unittest
from pathlib import Path


class MSIQAPackageTest(unittest.TestCase):
    def test_engine_and_resources_are_beside_the_module(self):
        import slicer

        import MSIQALib

        root = Path(MSIQALib.__file__).resolve().parents[1]
        assert root == Path(slicer.util.modulePath("MSIQA")).resolve().parent
        assert list((root / "Resources" / "Models").glob("*.safetensors"))
        assert (root / "MSIQALib" / "report" / "templates" / "report.html").is_file()

    def test_importing_the_module_loads_no_pytorch(self):
        import subprocess
        import sys

        import MSIQALib

        code = "import sys, MSIQALib.scene.study; sys.exit('torch' in sys.modules)"
        root = Path(MSIQALib.__file__).resolve().parents[1]
        assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
