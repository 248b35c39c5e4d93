using System.IO.Compression;
using System.Text.Json;

namespace Mamba.Managed.Tests.Packaging;

/// <summary>The command as a .NET tool: small, nothing native, and it runs where it is installed.</summary>
public class ToolPackageTests
{
    private const string Version = "0.0.0-test";
    private const long MostBytes = 15_000_000;

    private string folder = "";

    [OneTimeSetUp]
    public void RequireSdk() => Sdk.Require();

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-tool").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void The_package_is_small_and_managed_and_its_command_runs()
    {
        Sdk.Run(Sdk.Root, "pack", "Mamba.Managed.Cli", "-c", Sdk.Configuration, "--no-build", "-o", folder, $"-p:Version={Version}");
        string package = Path.Combine(folder, $"Mamba.Managed.Cli.{Version}.nupkg");
        Assert.That(new FileInfo(package).Length, Is.LessThan(MostBytes));
        string installed = Path.Combine(folder, "installed");
        using (ZipArchive archive = ZipFile.OpenRead(package))
        {
            Assert.That(archive.Entries.Select(entry => entry.FullName), Has.None.Contains("/runtimes/").And.None.EndsWith(".so").And.None.EndsWith(".dylib"));
            archive.ExtractToDirectory(installed);
        }

        string output = Sdk.Run(folder, Path.Combine(installed, "tools", "net10.0", "any", "mamba.dll"), "info", "--json");
        using JsonDocument info = JsonDocument.Parse(output);
        Assert.That(info.RootElement.GetProperty("architecture").GetString(), Is.EqualTo("mamba"));
    }
}
