using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using System.Reflection;
using System.Text.Json;
using Mamba.Managed.ILGPU.Benchmarks;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Benchmarks.Reporting;
using Mamba.Managed.ILGPU.Benchmarks.Suites;
using Mamba.Managed.ILGPU.Devices;

Benchmark[] all =
[
    .. CeilingSuite.Rows(), .. ScanSuite.Rows(), .. ProductSuite.Rows(), .. DecodeSuite.Rows(), .. PrefillSuite.Rows(), .. TrainingSuite.Rows(), .. StartSuite.Rows(),
];
Option<string> device = new("--device") { Description = "cuda, cuda:1, opencl, cpu-accelerator or auto", DefaultValueFactory = _ => "auto" };
Option<string?> kernelCache = new("--kernel-cache") { Description = "a folder in which compiled kernels are kept; by default one that is deleted at the end" };
Option<string> rows = new("--rows") { Description = "names of rows with * and ?, separated by commas", DefaultValueFactory = _ => "*" };
Option<bool> small = new("--small") { Description = "tiny shapes, to try the program without a GPU: the figures mean nothing" };
Option<bool> here = new("--in-process") { Description = "no child processes, for tools that watch one process: ends with the first row that fails" };
Option<FileInfo?> markdown = new("--markdown") { Description = "a file for the table in Markdown" };
Option<FileInfo?> json = new("--json") { Description = "a file for the table in JSON" };
Argument<string> model = new("model");

RootCommand root = new("Measures the GPU plugin: every row is checked against float64 before it is timed, and laid beside the reference and the device's ceilings.")
{
    device, kernelCache, rows, small, here, markdown, json,
};
root.SetAction(arguments =>
{
    Benchmark[] wanted = Matching(arguments.GetRequiredValue(rows));
    string name = GpuDevice.Find(arguments.GetRequiredValue(device)).ToString();
    bool keepsCache = arguments.GetValue(kernelCache) is not null;
    string cache = arguments.GetValue(kernelCache) ?? Directory.CreateTempSubdirectory("mamba-kernels-").FullName;
    Dictionary<string, RowResult> results = [];
    try
    {
        if (arguments.GetValue(here))
        {
            using Bench bench = new(arguments.GetRequiredValue(device), cache, arguments.GetValue(small));
            Runner.RunHere(wanted, bench, result => results[result.Name] = result);
        }
        else
        {
            string[] options = ["--device", arguments.GetRequiredValue(device), "--kernel-cache", cache, .. arguments.GetValue(small) ? (string[])["--small"] : []];
            Runner.RunIsolated(wanted, options, result => results[result.Name] = result);
        }
    }
    finally
    {
        if (!keepsCache)
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    Publish(name, new(wanted, results), arguments.GetValue(markdown), arguments.GetValue(json));
    return results.Values.Any(result => result.Failure is not null) ? 1 : 0;
});

Command list = new("list", "Lists the rows.");
list.SetAction(_ => Array.ForEach(all, row => Console.WriteLine($"{row.Name}: {row.Work}")));
root.Add(list);

Command child = new("child") { device, kernelCache, rows, small };
child.Hidden = true;
child.SetAction(arguments =>
{
    using Bench bench = new(arguments.GetRequiredValue(device), arguments.GetValue(kernelCache), arguments.GetValue(small));
    return Runner.RunAsChild(Matching(arguments.GetRequiredValue(rows)), bench) ? 0 : 1;
});
root.Add(child);

Command firstToken = new("first-token") { model, device, kernelCache };
firstToken.Hidden = true;
firstToken.SetAction(arguments => StartSuite.FirstToken(arguments.GetRequiredValue(model), arguments.GetRequiredValue(device), arguments.GetValue(kernelCache) ?? ""));
root.Add(firstToken);

return root.Parse(args).Invoke();

Benchmark[] Matching(string patterns) =>
    [.. all.Where(row => patterns.Split(',').Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, row.Name)))];

static void Publish(string device, Table table, FileInfo? markdown, FileInfo? json)
{
    string version = typeof(Runner).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
    string heading = string.Create(CultureInfo.InvariantCulture, $"Mamba.Managed.ILGPU {version} on {device}");
    Console.WriteLine($"{heading}\n\n{table.ToText()}");
    if (markdown is not null)
    {
        File.WriteAllText(markdown.FullName, $"{heading}\n\n{table.ToMarkdown()}");
    }

    if (json is not null)
    {
        PublishedTable published = new(device, version, DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), table.ToRows());
        File.WriteAllText(json.FullName, JsonSerializer.Serialize(published, ResultJson.Default.PublishedTable));
    }
}
