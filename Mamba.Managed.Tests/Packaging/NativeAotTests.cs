using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Mamba.Managed.Execution;
using Mamba.Managed.Models;
using Machine = System.Runtime.InteropServices.Architecture;

namespace Mamba.Managed.Tests.Packaging;

/// <summary>An application that uses the package and is published by native AOT, with nothing else said.</summary>
public class NativeAotTests
{
    private const string Version = "0.0.0-test";

    private const string Project = $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <ImplicitUsings>enable</ImplicitUsings>
            <PublishAot>true</PublishAot>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Mamba.Managed" Version="{Version}" />
          </ItemGroup>
        </Project>
        """;

    // The same as LogitBits below.
    private const string Program = """
        using Mamba.Managed.Execution;
        using Mamba.Managed.Models;

        using CpuExecutor executor = new(MambaLanguageModel.Create(new() { DModel = 64, NLayer = 2, VocabSize = 256 }, 1), 2);
        using CpuState state = executor.CreateState();
        float[] logits = new float[256];
        executor.Prefill([.. Enumerable.Range(0, 100)], state, logits);
        Console.WriteLine(CpuExecutor.InstructionSet);
        Console.WriteLine(string.Join(' ', logits.Select(BitConverter.SingleToInt32Bits)));
        """;

    private string folder = "";

    [OneTimeSetUp]
    public void RequireSdk() => Sdk.Require();

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mamba-aot").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void A_plain_publish_has_wide_vectors_and_the_same_bits()
    {
        Assume.That(RuntimeInformation.ProcessArchitecture == Machine.Arm64 || HasAvx2, "a processor with AVX2, which the package asks for");
        Assert.That(OperatingSystem.IsWindows() || OperatingSystem.IsMacOS() || IsInstalled("clang") || IsInstalled("gcc"), "expected a C compiler, which links what native AOT compiles, found none; install gcc or clang");
        Sdk.Run(Sdk.Root, "pack", "Mamba.Managed", "-c", Sdk.Configuration, "--no-build", "-o", folder, $"-p:Version={Version}");
        File.WriteAllText(Path.Combine(folder, "app.csproj"), Project);
        File.WriteAllText(Path.Combine(folder, "Program.cs"), Program);

        // The compiler's package stays for the next run; this one's package must not be taken for a later one's.
        string packages = Path.Combine(Sdk.Root, "artifacts", "native-aot");
        string mine = Path.Combine(packages, "mamba.managed");
        if (Directory.Exists(mine))
        {
            Directory.Delete(mine, recursive: true);
        }

        string output = Sdk.Run(
            folder, "publish", "app.csproj", "-c", "Release", "-o", "published", "--use-current-runtime", "-p:RestoreAdditionalProjectSources=" + folder, "-p:RestorePackagesPath=" + packages,
            "-p:RestoreAdditionalProjectFallbackFolders=" + Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages"));
        (int exit, string written) = Sdk.Execute(Path.Combine(folder, "published", OperatingSystem.IsWindows() ? "app.exe" : "app"), folder);
        bool isX64 = RuntimeInformation.ProcessArchitecture == Machine.X64;
        Assert.That(output, Does.Not.Contain("warning"));
        Assert.That(output.Contains("x86-64-v3", StringComparison.Ordinal), Is.EqualTo(isX64), "says what it chose");
        Assert.That(exit, Is.Zero, written);
        string[] lines = written.Split('\n', StringSplitOptions.TrimEntries);
        Assert.That(lines[0], Is.EqualTo(isX64 ? "avx2" : "vector128"));
        Assert.That(lines[1], Is.EqualTo(LogitBits()));
    }

    [TestCase("linux-x64", "", "compiled for processors with AVX2")]
    [TestCase("win-x64", "", "compiled for processors with AVX2")]
    [TestCase("linux-x64", "x86-64-v4", "")]
    [TestCase("linux-musl-x64", "native", "")]
    [TestCase("linux-x64", "x86-64-v3,-avxvnni", "")]
    [TestCase("linux-x64", "x86-64-v2", "warning MAMBA001")]
    [TestCase("linux-arm64", "", "")]
    [TestCase("osx-arm64", "apple-m1", "")]
    [TestCase("linux-arm", "", "warning MAMBA002")]
    public void Only_a_choice_that_is_slow_gets_a_warning(string runtime, string chosen, string said)
    {
        string project = Path.Combine(folder, "choice.proj");
        string targets = Path.Combine(Sdk.Root, "Mamba.Managed", "buildTransitive", "Mamba.Managed.targets");
        File.WriteAllText(project, $"""
            <Project>
              <PropertyGroup>
                <PublishAot>true</PublishAot>
                <RuntimeIdentifier>{runtime}</RuntimeIdentifier>
                <IlcInstructionSet>{chosen}</IlcInstructionSet>
              </PropertyGroup>
              <Import Project="{targets}" />
              <Target Name="WriteIlcRspFileForCompilation">
                <Message Importance="high" Text="set: $(IlcInstructionSet)." />
              </Target>
            </Project>
            """);
        string output = Sdk.Run(folder, "msbuild", project, "-t:WriteIlcRspFileForCompilation", "-v:minimal", "-nologo");
        bool chooses = said.StartsWith("compiled", StringComparison.Ordinal);
        Assert.That(output, Does.Contain($"set: {(chooses ? "x86-64-v3" : chosen)}."));
        Assert.That(output, said.Length > 0 ? Does.Contain(said) : Does.Not.Contain("Mamba.Managed:"));
    }

    private static bool HasAvx2 => X86Base.IsSupported && ((X86Base.CpuId(7, 0).Ebx >> 5) & 1) == 1;

    private static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(place => File.Exists(Path.Combine(place, program)));

    private static string LogitBits()
    {
        using CpuExecutor executor = new(MambaLanguageModel.Create(new() { DModel = 64, NLayer = 2, VocabSize = 256 }, 1), 2);
        using CpuState state = executor.CreateState();
        float[] logits = new float[256];
        executor.Prefill([.. Enumerable.Range(0, 100)], state, logits);
        return string.Join(' ', logits.Select(BitConverter.SingleToInt32Bits));
    }
}
