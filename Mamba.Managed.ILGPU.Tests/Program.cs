using Microsoft.Testing.Platform.Builder;
using NUnit.VisualStudio.TestAdapter.TestingPlatformAdapter;

namespace Mamba.Managed.ILGPU.Tests;

/// <summary>The tests as a program, for machines with a GPU and without an SDK.</summary>
/// <remarks><c>--filter "FullyQualifiedName~Scan"</c> takes what <c>dotnet test</c> takes; <c>--help</c> lists the options.</remarks>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        ITestApplicationBuilder builder = await TestApplication.CreateBuilderAsync(args);

        // NUnit alone: the generated list of extensions has one that reports use to Microsoft.
        TestingPlatformBuilderHook.AddExtensions(builder, args);
        using ITestApplication application = await builder.BuildAsync();
        return await application.RunAsync();
    }
}
