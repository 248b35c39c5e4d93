using System.Collections.Concurrent;
using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Mamba.Managed.Evaluation;

namespace Mamba.Managed.Benchmarks;

/// <summary>A rate computed from the mean time of a case and its <see cref="Work"/>.</summary>
internal sealed class WorkColumn(string name, string legend, Func<Work, double, double> value) : IColumn
{
    private static readonly ConcurrentDictionary<int, MachineLimits> limits = [];

    public static WorkColumn Gigaflops { get; } = new("GFLOP/s", "10^9 floating-point operations a second", (work, seconds) => work.Flops / seconds / 1e9);

    public static WorkColumn Gigabytes { get; } = new("GB/s", "10^9 bytes of weights and data a second", (work, seconds) => work.Bytes / seconds / 1e9);

    public static WorkColumn Share { get; } = new("% of limit", "Share of the machine's multiply-adds, or of its read bandwidth for a vector product, measured after the runs", (work, seconds) =>
    {
        MachineLimits limit = limits.GetOrAdd(work.Threads, MachineLimits.Measure);
        return 100 * (work.IsStreaming
            ? work.Bytes / seconds / 1e9 / limit.ReadGigabytesPerSecond
            : work.Flops / seconds / 1e9 / limit.FmaGigaflopsPerSecond);
    });

    public string Id => name;

    public string ColumnName => name;

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string Legend => legend;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (summary[benchmarkCase]?.ResultStatistics is not { } statistics || Activator.CreateInstance(benchmarkCase.Descriptor.Type) is not ISuite suite)
        {
            return "-";
        }

        foreach (BenchmarkDotNet.Parameters.ParameterInstance parameter in benchmarkCase.Parameters.Items)
        {
            benchmarkCase.Descriptor.Type.GetProperty(parameter.Name)!.SetValue(suite, parameter.Value);
        }

        return value(suite.Work, statistics.Mean * 1e-9).ToString("F1", CultureInfo.InvariantCulture);
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public bool IsAvailable(Summary summary) => true;
}
