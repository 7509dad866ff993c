// swift-tools-version: 6.2

import Foundation
import PackageDescription

// Each wing knows the contract (Wire) and the sockets (ZeroMQ), never another wing: docs/README.md draws the
// house.

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let collections = [
    Target.Dependency.product(name: "DequeModule", package: "swift-collections"),
    .product(name: "HeapModule", package: "swift-collections"),
    .product(name: "OrderedCollections", package: "swift-collections"),
]
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// What reads bytes of others, for the tests and for the fuzzer: docs/fuzzing.md.
let harnesses = Target.target(
    name: "Harnesses",
    dependencies: [
        "AssemblerCore", "WorkerCore", "ProducerCore", "TrayWorker", "TrayProducer", "Service", "Wire",
        "ZeroMQ", "Seeded",
        protobuf,
    ],
    path: "Tests/Harnesses")
// Links with libFuzzer only: nobody builds it but `make fuzz`.
let fuzzers =
    Context.environment["TRAY_FUZZ"] == nil
    ? [] : [Target.executableTarget(name: "fuzz", dependencies: ["Harnesses"], path: "fuzz")]

let package = Package(
    name: "tray",
    products: [
        .library(name: "TrayProducer", targets: ["TrayProducer"]),
        .library(name: "TrayWorker", targets: ["TrayWorker"]),
        .executable(name: "assembler", targets: ["assembler"]),
        .executable(name: "worker", targets: ["worker"]),
        .executable(name: "producer", targets: ["producer"]),
        .executable(name: "simulate", targets: ["simulate"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: [.defaults, "YAML", "CommandLineArguments"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // The sockets
        .systemLibrary(
            name: "CZeroMQ", path: "Sources/CZeroMQ", pkgConfig: "libzmq", providers: [.apt(["libzmq3-dev"])]),
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ"]),

        // The contract
        .target(name: "Wire", dependencies: [protobuf]),

        // What executables have in common for running as services
        .target(
            name: "Service",
            dependencies: [
                argumentParser, logging, yams,
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),

        // The producer's wing
        .target(
            name: "ProducerCore", dependencies: ["Wire"] + collections, path: "Sources/Producer/ProducerCore"),
        .target(
            name: "TrayProducer",
            dependencies: ["ProducerCore", "Wire", "ZeroMQ", "Service", crypto, yams, logging],
            path: "Sources/Producer/TrayProducer"),
        .executableTarget(
            name: "producer", dependencies: ["TrayProducer", "Wire", "Service", argumentParser, logging],
            path: "Sources/Producer/producer"),

        // The worker's wing
        .target(name: "WorkerCore", dependencies: ["Wire"] + collections, path: "Sources/Worker/WorkerCore"),
        .target(name: "CGuardian", path: "Sources/Worker/CGuardian"),
        .target(
            name: "TrayWorker",
            dependencies: [
                "CGuardian", "WorkerCore", "Wire", "ZeroMQ", "Service", logging,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Sources/Worker/TrayWorker"),
        .executableTarget(
            name: "worker", dependencies: ["TrayWorker", "Wire", "Service", argumentParser, logging],
            path: "Sources/Worker/worker"),

        // The assembler's wing
        .target(
            name: "AssemblerCore", dependencies: ["Wire"] + collections,
            path: "Sources/Assembler/AssemblerCore"),
        .systemLibrary(name: "CSQLite", path: "Sources/Assembler/CSQLite"),
        .target(
            name: "AssemblerStore",
            dependencies: [
                "CSQLite", "AssemblerCore", "Wire", crypto, .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Sources/Assembler/AssemblerStore"),
        .target(
            name: "TrayAssembler",
            dependencies: ["AssemblerCore", "AssemblerStore", "Wire", "ZeroMQ", logging],
            path: "Sources/Assembler/TrayAssembler"),
        .executableTarget(
            name: "assembler",
            dependencies: [
                "TrayAssembler", "AssemblerStore", "Wire", "ZeroMQ", "Service", argumentParser, logging,
            ],
            path: "Sources/Assembler/assembler"),

        // The whole system in one thread, from a seed
        .target(
            name: "Simulation",
            dependencies: ["AssemblerCore", "WorkerCore", "ProducerCore", "Wire"] + collections,
            path: "Sources/Simulate/Simulation"),
        .executableTarget(
            name: "simulate", dependencies: ["Simulation", "Wire", argumentParser],
            path: "Sources/Simulate/simulate"),

        // Tests
        .target(name: "Seeded", path: "Tests/Seeded"),
        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ"]),
        .testTarget(name: "ServiceTests", dependencies: ["Service"]),
        .testTarget(name: "AssemblerCoreTests", dependencies: ["AssemblerCore", "Wire", "Seeded"]),
        .testTarget(
            name: "AssemblerStoreTests",
            dependencies: [
                "AssemblerStore", "AssemblerCore", "Wire", "Seeded",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .testTarget(
            name: "TrayAssemblerTests", dependencies: ["TrayAssembler", "Wire", "ZeroMQ", logging]),
        .testTarget(name: "WorkerCoreTests", dependencies: ["WorkerCore", "Wire"]),
        .testTarget(name: "TrayWorkerTests", dependencies: ["TrayWorker", "Service", "Wire", "ZeroMQ"]),
        .testTarget(name: "ProducerCoreTests", dependencies: ["ProducerCore", "Wire"]),
        .testTarget(name: "TrayProducerTests", dependencies: ["TrayProducer", "Wire", "ZeroMQ"]),
        .testTarget(name: "ProducerCommandTests", dependencies: ["TrayProducer", "Service", "Wire"]),
        harnesses,
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "Harnesses", "AssemblerCore", "WorkerCore", "ProducerCore", "TrayProducer", "Service", "Wire",
            ],
            exclude: ["Corpus"]),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Simulation", "simulate", "AssemblerCore", "Wire"] + collections),
        .testTarget(name: "HouseTests"),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "assembler", "worker", "producer", "AssemblerStore", "AssemblerCore", "Wire", "ZeroMQ",
                "CZeroMQ", "Seeded",
            ]),
    ] + fuzzers,
    swiftLanguageModes: [.v6]
)

// The image is built without the tests' folder, so that a change there does not build it anew.
if !FileManager.default.fileExists(atPath: Context.packageDirectory + "/Tests") {
    package.targets.removeAll { $0.type == .test || $0.path?.hasPrefix("Tests/") == true }
}
