using System.Globalization;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Benchmarks.Suites;

namespace Mamba.Managed.ILGPU.Benchmarks.Reporting;

/// <summary>Results beside the reference, the targets and the device's ceilings.</summary>
/// <param name="rows">The rows that were wanted.</param>
/// <param name="results">What became of them.</param>
internal sealed class Table(IReadOnlyList<Benchmark> rows, IReadOnlyDictionary<string, RowResult> results)
{
    private static readonly string[] Header = ["work", "unit", "reference", "target", "measured", "against reference", "of copy", "of operations", "error", "spread"];

    private readonly double? copy = Ceiling(results, CeilingSuite.CopyName);
    private readonly Dictionary<Rate, double?> rates = new()
    {
        [Rate.Float32] = Ceiling(results, CeilingSuite.Float32Name),
        [Rate.Tf32] = Ceiling(results, CeilingSuite.Tf32Name),
        [Rate.BFloat16] = Ceiling(results, CeilingSuite.BFloat16Name),
    };

    /// <summary>Aligned columns for a terminal.</summary>
    public string ToText()
    {
        string[][] lines = [Header, .. rows.Select(Cells)];
        int[] widths = [.. Enumerable.Range(0, Header.Length).Select(i => lines.Max(line => line[i].Length))];
        return string.Join('\n', lines.Select(line => string.Join("  ", line.Select((cell, i) => i < 2 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd())) + '\n' + Failures();
    }

    /// <summary>A table for <c>docs/gpu.md</c> and <c>docs/benchmarks/</c>.</summary>
    public string ToMarkdown()
    {
        IEnumerable<string> lines = [Line(Header), "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|", .. rows.Select(row => Line(Cells(row)))];
        return string.Join('\n', lines) + '\n' + Failures();

        static string Line(string[] cells) => $"| {string.Join(" | ", cells)} |";
    }

    /// <summary>The same for programs.</summary>
    public PublishedRow[] ToRows() =>
    [
        .. rows.Select(row =>
        {
            Measurement? found = Found(row);
            return new PublishedRow(
                row.Name, row.Work, Symbol(row.Unit), row.Reference, row.Target, found?.Value(row.Unit), found?.Seconds, BytesShare(found), OperationsShare(found), found?.Error, Failure(row));
        }),
    ];

    private static double? Ceiling(IReadOnlyDictionary<string, RowResult> results, string name) =>
        results.GetValueOrDefault(name)?.Measurement is { } found ? found.Amount / found.Median : null;

    private static string Symbol(Unit unit) => unit switch
    {
        Unit.Milliseconds => "ms",
        Unit.Seconds => "s",
        Unit.TeraFlops => "TFLOP/s",
        Unit.GigabytesPerSecond => "GB/s",
        _ => "tok/s",
    };

    private static string Number(double? value) => value switch
    {
        null => "",
        >= 1000 => value.Value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 => value.Value.ToString("F1", CultureInfo.InvariantCulture),
        _ => value.Value.ToString("F3", CultureInfo.InvariantCulture),
    };

    private static string Percent(double? share) => share is { } found ? string.Create(CultureInfo.InvariantCulture, $"{100 * found:F0} %") : "";

    private static double? Times(Benchmark row, Measurement found)
    {
        bool isTime = row.Unit is Unit.Milliseconds or Unit.Seconds;
        return row.Reference is not { } reference ? null : isTime ? reference / found.Value(row.Unit) : found.Value(row.Unit) / reference;
    }

    private static string Spread(Measurement found) => string.Create(CultureInfo.InvariantCulture, $"{100 * (found.Seconds.Max() - found.Seconds.Min()) / found.Median:F1} %");

    private static string Error(Measurement found) => found.Bound == 0 ? ""
        : string.Create(CultureInfo.InvariantCulture, $"{found.Error:0.0E-0}{(found.Error <= found.Bound ? "" : $", above {found.Bound:0E-0}")}");

    private Measurement? Found(Benchmark row) => results.GetValueOrDefault(row.Name)?.Measurement;

    private string? Failure(Benchmark row) => results.TryGetValue(row.Name, out RowResult? result) ? result.Failure : "not run";

    private double? BytesShare(Measurement? found) => found is null || found.Bytes == 0 ? null : found.Bytes / found.Median / copy;

    private double? OperationsShare(Measurement? found) => found is null || found.Operations == 0 ? null : found.Operations / found.Median / rates[found.Rate];

    private string[] Cells(Benchmark row)
    {
        string[] named = [row.Work, Symbol(row.Unit), Number(row.Reference), Number(row.Target)];
        return Found(row) is not { } found ? [.. named, "failed", "", "", "", "", ""]
            : row.Name.StartsWith("ceiling", StringComparison.Ordinal) ? [.. named, Number(found.Value(row.Unit)), "", "", "", "", Spread(found)]
            : [.. named, Number(found.Value(row.Unit)), Times(row, found) is { } times ? Number(times) + " x" : "", Percent(BytesShare(found)), Percent(OperationsShare(found)), Error(found), Spread(found)];
    }

    private string Failures() => string.Concat(rows.Where(row => Failure(row) is not null).Select(row => $"\n{row.Name}: {Failure(row)}\n"));
}
