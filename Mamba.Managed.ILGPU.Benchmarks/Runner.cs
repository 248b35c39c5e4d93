using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Benchmarks.Reporting;

namespace Mamba.Managed.ILGPU.Benchmarks;

/// <summary>Runs rows so that one that fails, crashes or hangs spoils no other.</summary>
internal static class Runner
{
    // A row that says nothing for so long hangs.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private const string Mark = "RESULT ";

    /// <summary>Runs rows in this process, up to the first that fails: a device that has failed stays so.</summary>
    /// <param name="rows">What to run.</param>
    /// <param name="bench">Where.</param>
    /// <param name="report">Gets what became of each row.</param>
    /// <returns>Whether none failed.</returns>
    public static bool RunHere(IEnumerable<Benchmark> rows, Bench bench, Action<RowResult> report)
    {
        foreach (Benchmark row in rows)
        {
            Bench.Log(row.Name);
            try
            {
                Measurement found = row.Run(bench);
                Bench.Log(string.Create(CultureInfo.InvariantCulture, $"{row.Name}: {found.Value(row.Unit):G5} {row.Unit}, error {found.Error:0.0E-0}"));
                report(new(row.Name, found, null));
            }
            catch (Exception error)
            {
                Bench.Log($"{row.Name} failed: {error}");
                report(new(row.Name, null, $"{error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}"));
                return false;
            }
        }

        return true;
    }

    /// <summary>What a child process does: as <see cref="RunHere"/>, with results on standard output.</summary>
    public static bool RunAsChild(IEnumerable<Benchmark> rows, Bench bench) =>
        RunHere(rows, bench, result => Console.Out.WriteLine(Mark + JsonSerializer.Serialize(result, ResultJson.Default.RowResult)));

    /// <summary>Runs rows in child processes: one as long as all goes well, the next from the row after one that failed.</summary>
    public static void RunIsolated(IReadOnlyList<Benchmark> rows, IReadOnlyList<string> options, Action<RowResult> report)
    {
        for (int next = 0; next < rows.Count;)
        {
            int before = next;
            string failure = RunChild(["child", "--rows", string.Join(',', rows.Skip(next).Select(row => row.Name)), .. options], result =>
            {
                next++;
                report(result);
                return next < rows.Count;
            });
            if (next == before || failure.Length > 0)
            {
                report(new(rows[next++].Name, null, failure.Length > 0 ? failure : "the process ended before the row did"));
            }
        }
    }

    // Returns why the child ended in the middle of a row; empty where it ended after one.
    private static string RunChild(IEnumerable<string> arguments, Func<RowResult, bool> report)
    {
        using Process child = OwnProcess.Start(arguments);
        bool failed = false, expectsMore = true;
        while (true)
        {
            Task<string?> reading = child.StandardOutput.ReadLineAsync();
            if (!reading.Wait(Patience))
            {
                child.Kill(entireProcessTree: true);
                return string.Create(CultureInfo.InvariantCulture, $"nothing heard for {Patience.TotalSeconds} s");
            }

            if (reading.Result is not { } line)
            {
                child.WaitForExit();
                return failed || !expectsMore ? "" : string.Create(CultureInfo.InvariantCulture, $"the process ended with exit code {child.ExitCode}");
            }

            if (line.StartsWith(Mark, StringComparison.Ordinal))
            {
                RowResult result = JsonSerializer.Deserialize(line.AsSpan(Mark.Length), ResultJson.Default.RowResult)!;
                failed = result.Failure is not null;
                expectsMore = report(result);
            }
        }
    }
}
