using System.Reflection;
using System.Runtime.CompilerServices;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.Tensors;
using NetArchTest.Rules;

namespace Mamba.Managed.ILGPU.Tests.Architecture;

/// <summary>The plugin stands on the library's public types alone, and its folders use only those before them.</summary>
public class ArchitectureTests
{
    private const string Root = "Mamba.Managed.ILGPU";

    private static readonly Assembly Plugin = typeof(GpuSession).Assembly;

    /// <summary>Folders of one row may use one another. The first holds the marks of templates, which are generated.</summary>
    private static readonly string[][] Rows = [["Unrolling"], ["Devices"], ["Kernels"], ["Decode", "Execution"], ["Training"]];

    private static IEnumerable<string> Folders => Rows.SelectMany(row => row);

    [TestCaseSource(nameof(Folders))]
    public void A_folder_uses_none_of_a_later_row(string folder)
    {
        string[] later = [.. Rows.SkipWhile(row => !row.Contains(folder)).Skip(1).SelectMany(row => row).Select(name => $"{Root}.{name}")];
        if (later.Length > 0)
        {
            TestResult result = Types.InAssembly(Plugin).That().ResideInNamespaceStartingWith($"{Root}.{folder}").ShouldNot().HaveDependencyOnAny(later).GetResult();
            Assert.That(result.FailingTypeNames ?? [], Is.Empty);
        }
    }

    [Test]
    public void The_rows_name_every_folder()
    {
        IEnumerable<string> found = Plugin.GetTypes().Select(type => type.Namespace ?? "").Where(name => name.StartsWith(Root + ".", StringComparison.Ordinal))
            .Select(name => name.Split('.')[3]).Distinct();
        Assert.That(found, Is.SubsetOf(Folders));
    }

    [Test]
    public void The_library_has_no_friend_in_the_plugin()
    {
        IEnumerable<string> friends = typeof(Tensor).Assembly.GetCustomAttributes<InternalsVisibleToAttribute>().Select(attribute => attribute.AssemblyName);
        Assert.That(friends, Has.None.StartsWith(Root));
    }

    [Test]
    public void The_library_does_not_refer_to_the_plugin() =>
        Assert.That(typeof(Tensor).Assembly.GetReferencedAssemblies().Select(name => name.Name), Has.None.StartsWith(Root).And.None.StartsWith("ILGPU"));
}
