using System.Text.Json.Serialization;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;

namespace Mamba.Managed.ILGPU.Benchmarks.Reporting;

/// <summary>What became of a row: a measurement, or why there is none.</summary>
internal sealed record RowResult(string Name, Measurement? Measurement, string? Failure);

/// <summary>A row as it is published.</summary>
internal sealed record PublishedRow(
    string Name, string Work, string Unit, double? Reference, double? Target, double? Value, double[]? Seconds, double? BytesOfCeiling, double? OperationsOfCeiling, double? Error, string? Failure);

/// <summary>All that one run found.</summary>
internal sealed record PublishedTable(string Device, string Version, string Date, PublishedRow[] Rows);

/// <summary>How results are written, without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(RowResult))]
[JsonSerializable(typeof(PublishedTable))]
internal sealed partial class ResultJson : JsonSerializerContext;
