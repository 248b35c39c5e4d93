using System.Globalization;
using Mamba.Managed.Tests.Execution;
using Mamba.Managed.Tests.Fuzz;
using Mamba.Managed.Tests.Safety;
using Mamba.Managed.Tests.Training;
using Microsoft.Testing.Platform.Builder;
using NUnit.VisualStudio.TestAdapter.TestingPlatformAdapter;

namespace Mamba.Managed.Tests;

/// <summary>What the test assembly does as a program: the child processes that tests start, and the tests themselves where there is no SDK.</summary>
/// <remarks>
/// <c>Mamba.Managed.Tests run-tests --filter "FullyQualifiedName~OneResult"</c> runs tests; the filter is that of <c>dotnet test</c>, and
/// <c>run-tests --help</c> lists the options. Other arguments are those of <see cref="TrainingChild.Run"/>.
/// </remarks>
internal static class Program
{
    public static async Task<int> Main(string[] args) => args switch
    {
        ["run-tests", .. string[] options] => await RunTests(options),
        ["ownership", .. string[] arguments] => OwnershipChild.Start(arguments),
        ["shapes", string attack] => ShapeAttacks.Run(attack),
        ["executor", string attack] => ExecutorChild.Run(attack),
        ["fuzz", .. string[] arguments] => FuzzRun.Start(arguments),
        ["fuzz-child", string part, string limit, string seed, string from, string progress] =>
            FuzzChild.Run(part, limit, int.Parse(seed, CultureInfo.InvariantCulture), long.Parse(from, CultureInfo.InvariantCulture), progress),
        ["soak", string steps, string seed] =>
            TrainingSoak.Run(int.Parse(steps, CultureInfo.InvariantCulture), int.Parse(seed, CultureInfo.InvariantCulture), Console.Out),
        ["exit-in-write", string path] => ExitInWrite(path),
        ["exit-in-folder", string path] => ExitInFolder(path),
        _ => TrainingChild.Run(args),
    };

    private static int ExitInFolder(string path)
    {
        using TemporaryFolder temporary = new(path);
        return ExitInWrite(Path.Combine(temporary.Path, "file"));
    }

    private static int ExitInWrite(string path)
    {
        AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            Environment.Exit(7);
        });
        return 0;
    }

    private static async Task<int> RunTests(string[] options)
    {
        ITestApplicationBuilder builder = await TestApplication.CreateBuilderAsync(options);

        // NUnit alone: the generated list of extensions has one that reports use to Microsoft.
        TestingPlatformBuilderHook.AddExtensions(builder, options);
        using ITestApplication application = await builder.BuildAsync();
        return await application.RunAsync();
    }
}
