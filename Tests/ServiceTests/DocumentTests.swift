import Testing

@testable import Service

/// The error that `body` throws, as people see it.
func complaint(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}

@Suite("Documents")
struct DocumentTests {
    private let lunch = """
        name: lunch-set
        # comment
        items:
          - {name: burger, station: grill, timeout: 10s, max_attempts: 3}
          - name: fries
            station: fryer
            timeout: 3 parsecs
        """

    @Test("every value knows its line and its path")
    func places() throws {
        let root = try Document.parse(lunch, file: "orders.yaml").root.mapping()
        let items = try root.required("items").sequence()
        let fries = try items[1].mapping()
        #expect(items[0].line == 4)
        #expect(items[1].path == "items[1]")
        #expect(fries["station"]?.line == 6)
        #expect(fries["station"]?.path == "items[1].station")
        #expect(try items[0].mapping().required("timeout").duration() == .seconds(10))
        #expect(try items[0].mapping().required("max_attempts").int(in: 1...1000) == 3)
    }

    @Test("a wrong duration is named with file, line and field, and what would be right")
    func wrongDuration() throws {
        let items = try Document.parse(lunch, file: "orders.yaml").root.mapping().required("items").sequence()
        #expect(
            complaint { _ = try items[1].mapping().required("timeout").duration() }
                == "orders.yaml:7: items[1].timeout: \"3 parsecs\" is not a duration; "
                + "write a number and a unit, such as 250ms, 3s, 10m, 24h")
    }

    @Test("an unknown key is named with the nearest right one")
    func unknownKey() throws {
        let root = try Document.parse("name: x\ndedline: 3s\n", file: "a.yaml").root
        #expect(
            complaint { _ = try root.mapping(allowing: ["name", "deadline", "items"]) }
                == "a.yaml:2: unknown key \"dedline\"; did you mean \"deadline\"?")
        #expect(
            complaint { _ = try root.mapping(allowing: ["name", "items"]) }
                == "a.yaml:2: unknown key \"dedline\"; known are name, items")
    }

    @Test(
        "broken text is refused with its line",
        arguments: [
            ("a: 1\nb: 2\na: 3\n", "x.yaml:1: the key \"a\" is given more than once"),
            (
                "a: 1\nb:\n\t- 2\n",
                "x.yaml:3: is indented with a tab; YAML wants spaces"
            ),
            ("a: 1\r\nb:\r\n\t- 2\r\n", "x.yaml:3: is indented with a tab; YAML wants spaces"),
            ("a: 1\r\nb: @b\r\n", "x.yaml:2: a value cannot begin with '@'; write it in quotes"),
            ("a: @b\n", "x.yaml:1: a value cannot begin with '@'; write it in quotes"),
            ("a: [1, 2\nb: 3\n", "x.yaml:2: is not valid YAML or JSON"),
            ("a: 1\n---\nb: 2\n", "x.yaml:2: holds more than one document; one is read"),
            ("a: \u{1}\n", "x.yaml:1: is not text that YAML allows: control characters are not allowed"),
            ("a: *nobody\n", "x.yaml:1: is not valid YAML or JSON: found undefined alias"),
            ("{\"a\": \"\\uD83D\"}", "x.yaml:1: is not valid YAML or JSON: found invalid Unicode character"),
        ])
    func broken(text: String, expected: String) {
        let seen = complaint { _ = try Document.parse(text, file: "x.yaml") }
        #expect(seen?.hasPrefix(expected) == true, "\(seen ?? "nothing")")
    }

    @Test(
        "an empty file is null, and says so where more is needed",
        arguments: ["", "# only a comment\n", "\n\n"])
    func empty(text: String) throws {
        let root = try Document.parse(text, file: "x.yaml").root
        #expect(root.isNull)
        #expect(
            complaint { _ = try root.mapping() }
                == "x.yaml:1: is empty; it has to be a mapping of keys to values")
    }

    @Test("nesting without end is refused before it exhausts the stack")
    func deepNesting() {
        for depth in [600, 100_000] {
            let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(complaint { _ = try Document.parse(text, file: "x") } != nil)
        }
    }

    @Test("a few lines of aliases that stand for billions of values are refused")
    func aliasBomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            let references = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(references)]\n"
        }
        #expect(complaint { _ = try Document.parse(text, file: "x") }?.contains("20000000 values") == true)
    }

    @Test("aliases stand for what they name")
    func aliases() throws {
        let root = try Document.parse("a: &a {k: [1]}\nb: *a\n", file: "x").root
        #expect(try root.jsonText() == #"{"a":{"k":[1]},"b":{"k":[1]}}"#)
    }

    @Test("a value of another kind is named as it stands")
    func wrongKinds() throws {
        let root = try Document.parse("a: yes\nb: 5\nc: [1]\nd:\ne: 1.5\nf: !odd x\n", file: "x").root
            .mapping()
        #expect(complaint { _ = try root.required("a").bool() } == "x:1: a: \"yes\" is not true or false")
        #expect(
            complaint { _ = try root.required("b").string() }
                == "x:2: b: \"5\" is not a string; write it in quotes: \"5\"")
        #expect(complaint { _ = try root.required("c").string() } == "x:3: c: a list is not a string")
        #expect(
            complaint { _ = try root.required("d").mapping() }
                == "x:4: d: is empty; it has to be a mapping of keys to values")
        #expect(complaint { _ = try root.required("e").int() } == "x:5: e: \"1.5\" is not a whole number")
        #expect(
            complaint { _ = try root.required("b").int(in: 1...3) }
                == "x:2: b: \"5\" is out of range; write 1 to 3")
        #expect(
            complaint { _ = try root.required("f").string() }
                == "x:6: f: the tag !odd is not known here; leave it away")
        #expect(complaint { _ = try root.required("g") } == "x:1: the key \"g\" is missing")
        #expect(try root.required("b").text() == "5")
        #expect(try root.required("b").double() == 5)
        #expect(root["d"]?.isNull == true)
    }

    @Test("unquoted scalars mean what YAML 1.2 says, quoted ones are strings")
    func coreSchema() throws {
        let text = """
            [no, on, Yes, 1:30, 2024-01-01, true, FALSE, null, ~, "null", '5', 007, +5, -0, 0x1F, 0o17, .5,
             1., 1e3, -1.50E-2, 1_000, 0xZZ, <<, =, 123456789012345678901234567890, "\\/", --1, 1e, .]
            """
        let expected = """
            ["no","on","Yes","1:30","2024-01-01",true,false,null,null,"null","5",7,5,-0,31,15,0.5,1,1e3,\
            -1.50E-2,"1_000","0xZZ","<<","=",123456789012345678901234567890,"/","--1","1e","."]
            """
        #expect(try Document.parse(text, file: "x").root.jsonText() == expected)
    }

    @Test(
        "numbers that JSON lacks are refused", arguments: [".inf", "-.INF", ".nan", "0xFFFFFFFFFFFFFFFFFF"])
    func notJSON(text: String) {
        #expect(
            complaint { _ = try Document.parse("a: \(text)", file: "x").root.jsonText() }?.hasPrefix(
                "x:1: a: ")
                == true)
    }

    @Test("JSON is read as it is meant: tabs, escapes, surrogate pairs, control characters")
    func json() throws {
        let text =
            "{\n\t" + #""a" : "\/ \uD83D\ude00 \\uD83D\\uDE00 \u0000\n\"","# + "\n\t"
            + #""b":[1.0,-2e+5,{}],"c":""}"#
        let expected = #"{"a":"/ 😀 \\uD83D\\uDE00 \u0000\n\"","b":[1.0,-2e+5,{}],"c":""}"#
        let root = try Document.parse(text, file: "x.json").root
        #expect(try root.jsonText() == expected)
        #expect(try root.mapping().required("b").line == 3)
    }

    @Test("files that cannot be read say why")
    func unreadableFiles() throws {
        try withTemporaryFolder { folder in
            let broken = "\(folder)/latin1.yaml"
            try write([0x61, 0x3a, 0x20, 0x62, 0x0a, 0x63, 0x3a, 0x20, 0xe9, 0x0a], to: broken)
            #expect(
                complaint { _ = try Document.read(file: "\(folder)/nowhere.yaml") }
                    == "\(folder)/nowhere.yaml: there is no such file")
            #expect(
                complaint { _ = try Document.read(file: folder) }
                    == "\(folder): is a directory; a file is needed")
            #expect(complaint { _ = try Document.read(file: broken) } == "\(broken):2: is not UTF-8 text")
            #expect(
                complaint { _ = try Document.read(file: broken, bytesMax: 9) }
                    == "\(broken): is larger than 9 bytes, the limit here")
        }
    }
}
