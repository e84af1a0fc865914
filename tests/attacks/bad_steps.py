"""Mistakes in steps, in what they read, and in their branches, with what must be said of them."""

from tests.attacks.cases import Case
from tests.attacks.mistakes import DIGITS, EACH, GOOD, MINE, READER, STAGE, change, own, write

STEPS = [
    Case(
        "a step without a stage",
        change("{stage: datasets.digits, n_items: 24}", "{n_items: 24}"),
        ("pipe.yaml:5", "digits: needs a 'stage:'", "stage: datasets.digits"),
    ),
    Case(
        "a stage without its folder",
        change("datasets.digits,", "digits,"),
        ("pipe.yaml:5", "Unknown stage 'digits'", "Did you mean 'datasets.digits'?"),
    ),
    Case(
        "a misspelt stage",
        change("evaluation.split", "evaluation.splt"),
        ("pipe.yaml:7", "Unknown stage 'evaluation.splt'", "Did you mean 'evaluation.split'?"),
    ),
    Case(
        "no stage",
        change("stage: datasets.digits", "stage: "),
        ("pipe.yaml:5", "digits: stage: needs one address", "Write folder.name"),
    ),
    Case(
        "a command for a stage",
        change("datasets.digits,", "os:system,"),
        ("pipe.yaml:5", "'os' is a module of Python's own", "Rename"),
    ),
    Case(
        "a path for a stage",
        change("datasets.digits,", "../evil,"),
        ("pipe.yaml:5", "'../evil' is no address", "package.module:Class"),
    ),
    Case(
        "a module that is not there",
        own("absent_stage", pipeline=MINE.replace("NAME", "nowhere")),
        ("pipe.yaml:2", "no module 'nowhere'", "Put the file there"),
    ),
    Case(
        "a class that is not there",
        own("other_stage", pipeline="steps:\n  a: {stage: 'NAME:Mien'}\n"),
        ("pipe.yaml:2", "has no stage class 'Mien'", "Did you mean 'Mine'?"),
    ),
    Case(
        "a stage of broken Python",
        own("broken_stage", "class Mine(:\n"),
        ("pipe.yaml:2", "broken_stage.py:1 is no Python", "Mend the file"),
    ),
    Case(
        "a stage that fails on import",
        own("failing_stage", STAGE + "\n1 / 0\n"),
        ("pipe.yaml:2", "cannot be imported", "ZeroDivisionError", "Mend the file"),
    ),
    Case(
        "a stage that ends the program",
        own("exiting_stage", STAGE + "\nraise SystemExit(0)\n"),
        ("pipe.yaml:2", "cannot be imported", "SystemExit"),
    ),
    Case(
        "a stage whose library is absent",
        own("needy_stage", "import no_such_library\n" + STAGE),
        ("pipe.yaml:2", "imports 'no_such_library'", "pip install no_such_library"),
    ),
    Case(
        "a run without annotations",
        own("plain_stage", STAGE.replace("features: Features", "features")),
        ("pipe.yaml:2", "input 'features' is annotated None", "Annotate it"),
    ),
    Case(
        "a run with unknown annotations",
        own("odd_stage", STAGE.replace("-> Features", "-> 'Featurs'")),
        ("pipe.yaml:2", "NameError", "Featurs", "Import what it is annotated with"),
    ),
    Case(
        "a stage without run",
        own("runless_stage", STAGE[: STAGE.index("    def run")]),
        ("pipe.yaml:2", "does not define run(self, inputs...)", "Give it one"),
    ),
    Case(
        "a class that is no stage",
        own("foreign_stage", "class Mine:\n    pass\n"),
        ("pipe.yaml:2", "has no stage class 'Mine'", "derive the class from"),
    ),
    Case(
        "a stage whose raw file has no end",
        own(
            "endless_stage",
            READER + '\n    def sources(self):\n        return [Path("/dev/zero")]\n',
        ),
        ("a: endless_stage:Mine", "/dev/zero is neither a file nor a folder", "Correct its path"),
    ),
    Case(
        "a stage that cannot say what it reads",
        own("unsure_stage", READER + "\n    def sources(self):\n        return 1 / 0\n"),
        ("a: unsure_stage:Mine", "what it reads cannot be told: ZeroDivisionError", "Check its"),
    ),
    Case(
        "settings that break a stage's own check",
        own(
            "strict_stage",
            READER.replace(
                "    def run",
                "    size: float = 1\n\n    def model_post_init(self, _):\n"
                "        1 / self.size\n\n    def run",
            ),
            "steps:\n  a: {stage: 'NAME:Mine', size: 0}\n",
        ),
        (
            "pipe.yaml:2",
            "cannot be made of these settings: ZeroDivisionError",
            "Check their values",
        ),
    ),
    Case(
        "an input left out",
        change(", stimuli: digits, size_px", ", size_px"),
        (
            "pipe.yaml:8",
            "input 'stimuli' is missing: a step that gives Stimuli",
            "Write: stimuli: digits",
        ),
    ),
    Case(
        "a misspelt input",
        change("stimuli: digits, size_px", "stimulus: digits, size_px"),
        ("pipe.yaml:8", "Unknown key 'stimulus'", "Did you mean 'stimuli'?"),
    ),
    Case(
        "a misspelt step",
        change("responses: scan, by", "responses: scna, by"),
        ("pipe.yaml:7", "split: responses: no step is called 'scna'", "Did you mean 'scan'?"),
    ),
    Case(
        "an empty reference",
        change("stimuli: digits, size_px", "stimuli: , size_px"),
        ("pipe.yaml:8", "pixels: stimuli: names no step", "Write stimuli: step"),
    ),
    Case(
        "an empty list of references",
        write(DIGITS + "  r: {stage: plotting.report, show: []}\n"),
        ("pipe.yaml:3", "r: show: lists no step", "Name at least one"),
    ),
    Case(
        "a path for a reference",
        change("stimuli: digits, size_px", "stimuli: ../digits, size_px"),
        ("pipe.yaml:8", "'../digits' names no step", "Write step, or step.output"),
    ),
    Case(
        "another kind of artifact",
        change("features: pixels}", "features: scan}"),
        (
            "pipe.yaml:10",
            "takes Features, but 'scan' (datasets.simulated) gives",
            "Write: features: pixels",
        ),
    ),
    Case(
        "an output that is not there",
        change("stimuli: digits, size_px", "stimuli: digits.images, size_px"),
        ("pipe.yaml:8", "'digits' has no output 'images'", "It gives: stimuli"),
    ),
    Case(
        "an output that is not unique",
        write(
            "steps:\n  s: {stage: datasets.digit69}\n  r: {stage: plotting.report, show: [s]}\n"
            "  d: {stage: evaluation.split, responses: s.stimuli}\n"
        ),
        ("pipe.yaml:4", "takes Responses, but 's' (datasets.digit69) gives Stimuli"),
    ),
    Case(
        "a list where one is taken",
        change("stimuli: digits, size_px", "stimuli: [digits], size_px"),
        ("pipe.yaml:8", "takes one Stimuli", "without brackets"),
    ),
    Case(
        "two that go by one label",
        write(
            "steps:\n  s: {stage: datasets.digit69}\n"
            "  j: {stage: alignment.stack, responses: [s, s]}\n"
        ),
        ("pipe.yaml:3", "two branches go by the label 's'", "Give labels"),
    ),
    Case(
        "a step that needs itself",
        write("steps:\n  a: {stage: preprocessing.zscore, responses: a}\n"),
        ("pipe.yaml:2", "in a circle: a → a", "outside it"),
    ),
    Case(
        "a circle of two",
        write(
            "steps:\n  a: {stage: preprocessing.zscore, responses: b}\n"
            "  b: {stage: preprocessing.zscore, responses: a}\n"
        ),
        ("pipe.yaml:2", "in a circle: a → b → a"),
    ),
    Case(
        "a circle of three",
        write(
            "steps:\n"
            + "".join(
                f"  {a}: {{stage: preprocessing.zscore, responses: {b}}}\n"
                for a, b in ("ab", "bc", "ca")
            )
        ),
        ("pipe.yaml:2", "in a circle: a → b → c → a"),
    ),
    Case(
        "a step named as a path",
        change("  digits: {", "  ../x: {}\n  digits: {"),
        ("pipe.yaml:5", "steps: '../x' is no name", "letters of the English alphabet"),
    ),
    Case(
        "a step named with a space",
        change("  digits: {", "  my scan: {}\n  digits: {"),
        ("pipe.yaml:5", "'my scan' is no name"),
    ),
    Case(
        "a step named as a control",
        change("  digits: {", "  a@b: {}\n  digits: {"),
        ("pipe.yaml:5", "'a@b' is no name"),
    ),
    Case(
        "a step named in Cyrillic",
        change("  digits: {", "  d\u0456gits: {}\n  digits: {"),
        ("pipe.yaml:5", r"'d\u0456gits' is no name", "English alphabet"),
    ),
    Case(
        "a very long name of a step",
        change("  digits: {", f"  {'x' * 500}: {{}}\n  digits: {{"),
        ("pipe.yaml:5", "[420 characters]", "60 in all"),
    ),
    Case(
        "names that differ in case",
        change("  split:", "  Scan: {stage: datasets.digit69}\n  split:"),
        ("pipe.yaml:7", "differs from the step 'scan' in case only", "Rename one"),
    ),
    Case(
        "controls of nothing",
        write(GOOD + "controls: {kinds: [prior_only]}\n"),
        ("controls: of: name the step", "of: scores"),
    ),
    Case(
        "controls of an unknown step",
        write(GOOD + "controls: {of: scors}\n"),
        ("pipe.yaml:11", "Unknown step 'scors'", "Did you mean 'scores'?"),
    ),
    Case(
        "an unknown kind of control",
        write(GOOD + "controls: {of: scores, kinds: [shuffled]}\n"),
        ("pipe.yaml:11", "Unknown kind 'shuffled'", "Did you mean 'shuffled_brain'?"),
    ),
    Case(
        "controls where nothing decodes",
        write(GOOD + "controls: {of: pixels}\n"),
        ("pipe.yaml:11", "nothing upstream of 'pixels' decodes", "Name scores of"),
    ),
    Case(
        "a billion shuffles",
        write(GOOD + "controls: {of: scores, n_shuffles: 1000000000}\n"),
        ("pipe.yaml:11", "n_shuffles", "at most 10000", "'1000000000'"),
    ),
    Case(
        "a step named audit",
        write(GOOD + "  audit: {stage: datasets.digits}\ncontrols: {of: scores}\n"),
        ("pipe.yaml:11", "the name is taken", "Rename the step"),
    ),
]

BRANCHES = [
    Case(
        "an unknown variable",
        change("${size}", "${sise}"),
        (
            "pipe.yaml:8",
            "${sise} is neither in params nor in each",
            "Did you mean 'size'?",
        ),
    ),
    Case(
        "a parameter nobody uses",
        change("size: 6", "size: 6, zise: 7"),
        ("pipe.yaml:3", "'zise' is never used", "Remove it"),
    ),
    Case(
        "a parameter of parameters",
        change("size: 6", "size: '${other}', other: 3"),
        ("pipe.yaml:3", "'size' holds ${other}", "write it out"),
    ),
    Case(
        "a parameter named as a key",
        change("size: 6", "size: 6, seed: 3"),
        ("pipe.yaml:3", "'seed' is a key of the pipeline itself"),
    ),
    Case(
        "a list inside text",
        write("params: {p: [1, 2]}\nsteps:\n  d: {stage: datasets.digits, first: 'a${p}'}\n"),
        ("pipe.yaml:3", "${p} is a list or mapping", "Name it alone"),
    ),
    Case(
        "a variable without values",
        change('["01", "02"]', "[]", EACH),
        (
            "pipe.yaml:1",
            "each: 'subject' needs a list of values",
        ),
    ),
    Case(
        "a variable with a value twice",
        change('"02"]', '"01"]', EACH),
        ("pipe.yaml:1", "'subject' lists a value twice: '01'", "Keep one"),
    ),
    Case(
        "a zip of unequal lengths",
        change(
            'each: {subject: ["01", "02"], model: [a, b]}',
            "each: {zip: {subject: [a, b], model: [a]}}",
            EACH,
        ),
        ("pipe.yaml:1", "zip needs lists of one length, got subject 2, model 1"),
    ),
    Case(
        "a variable nobody uses",
        change("each: {subject", "each: {task: [a], subject", EACH),
        ("pipe.yaml:1", "each: 'task' is never used"),
    ),
    Case(
        "gather of an unknown variable",
        change("[subject, model]}", "[subject, modle]}", EACH),
        ("pipe.yaml:5", "gather: no variable 'modle'", "Did you mean 'model'?"),
    ),
    Case(
        "gather of nothing",
        change("gather: [subject, model]", "gather: ", EACH),
        ("pipe.yaml:5", "gather: names no variable", "Write gather: subject"),
    ),
    Case(
        "a gather that leaves out a list",
        change("gather: [subject, model]", "gather: {subject: {not: [a]}}", EACH),
        ("pipe.yaml:5", "Write gather: {subject: {not: ${other}}}"),
    ),
    Case(
        "a gather that leaves out nobody",
        change("gather: [subject, model]", 'gather: {subject: {not: "03"}}', EACH),
        ("pipe.yaml:5", "'subject' has no value '03' to leave out", "01, 02"),
    ),
    Case(
        "gather needed but absent",
        write(
            EACH.replace("alignment.stack", "preprocessing.zscore").replace(
                ", gather: [subject, model]", ", per: run"
            )
            + "  split: {stage: evaluation.split, responses: all, gather: subject}\n"
        ),
        (
            "pipe.yaml:6",
            "takes Responses of one branch, but 'gather' hands it 2",
            "'gather: subject', or leave 'gather' out here",
        ),
    ),
    Case(
        "a product that explodes",
        write(
            "each: {"
            + ", ".join(f"v{i}: [0,1,2,3,4,5,6,7,8,9]" for i in range(10))
            + "}\nsteps:\n  d: {stage: datasets.digits, "
            "first: '" + "".join(f"${{v{i}}}" for i in range(10)) + "'}\n"
        ),
        (
            "pipe.yaml:3",
            "makes 10000000000 branches",
            "Allowed: 10000",
            "Gather a variable earlier",
        ),
    ),
    Case(
        "a branch of an unknown variable",
        write(EACH),
        ("--branch subjcet=01", "no variable 'subjcet'", "Did you mean 'subject'?"),
        ("--branch", "subjcet=01"),
    ),
    Case(
        "a branch of an unknown value",
        write(EACH),
        ("--branch subject=1", "'subject' has no value '1'", "Did you mean '01'?"),
        ("--branch", "subject=1"),
    ),
    Case(
        "a branch without a value",
        write(EACH),
        ("--branch 'subject'", "variable=value"),
        ("--branch", "subject"),
    ),
    Case(
        "until an unknown step",
        write(GOOD),
        ("no step 'scors'", "Did you mean 'scores'?"),
        ("--until", "scors"),
    ),
    Case(
        "only a step whose inputs are stale",
        write(GOOD),
        ("--only: ", "not up to date", "Use --until"),
        ("--only", "scores"),
    ),
    Case(
        "an override without a value",
        write(GOOD),
        ("override 'digits'", "step.setting=value"),
        ("digits",),
    ),
    Case(
        "an override of a whole step",
        write(GOOD),
        ("override 'digits=3'", "is a step", "digits.setting=value"),
        ("digits=3",),
    ),
    Case(
        "an override of an unknown step",
        write(GOOD),
        ("override 'decodd.alphas=1'", "nothing is called 'decodd'", "Did you mean 'decoded'?"),
        ("decodd.alphas=1",),
    ),
    Case(
        "an override of an unknown setting",
        write(GOOD),
        ("override 'decoded.alpas=[1]'", "Unknown key 'alpas'", "Did you mean 'alphas'?"),
        ("decoded.alpas=[1]",),
    ),
    Case(
        "an override with a wrong value",
        write(GOOD),
        ("override 'digits.n_items=lots'", "got 'lots'", "a whole number"),
        ("digits.n_items=lots",),
    ),
    Case(
        "an override that is no YAML",
        write(GOOD),
        ("override 'decoded.alphas=[1'", "not valid YAML", "Close the bracket"),
        ("decoded.alphas=[1",),
    ),
    Case(
        "an override given twice",
        write(GOOD),
        ("override 'size=8'", "changed already, by 'size=7'", "once"),
        ("size=7", "size=8"),
    ),
    Case(
        "an override of another seed",
        write(GOOD),
        ("override 'seed=x'", "whole number"),
        ("seed=x",),
    ),
    Case(
        "a cache that is a file",
        write(GOOD),
        ("the cache", "is a file", "--cache"),
        ("--cache", "pipe.yaml"),
    ),
]
