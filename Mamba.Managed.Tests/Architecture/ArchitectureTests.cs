using System.Reflection;
using System.Runtime.InteropServices;
using Mamba.Managed.Tensors;
using NetArchTest.Rules;

namespace Mamba.Managed.Tests.Architecture;

/// <summary>The order of the folders, of which each uses only those before it; and what the library leaves to others.</summary>
public class ArchitectureTests
{
    private const string Root = "Mamba.Managed";

    private static readonly string[] Folders =
        ["Tensors", "Threading", "Kernels", "Layers", "Models", "Tokenizers", "Templates", "Grammars", "Checkpoints", "Execution", "Generation", "Training", "Evaluation"];

    private static readonly Assembly Library = typeof(Tensor).Assembly;

    [TestCaseSource(nameof(Folders))]
    public void A_folder_uses_only_those_before_it(string folder)
    {
        string[] later = [.. Folders.Skip(Array.IndexOf(Folders, folder) + 1).Select(name => $"{Root}.{name}")];
        if (later.Length > 0)
        {
            AssertIndependent(Types.InAssembly(Library).That().ResideInNamespaceStartingWith($"{Root}.{folder}"), later);
        }
    }

    [Test]
    public void What_all_folders_share_uses_none_of_them()
    {
        AssertIndependent(Types.InAssembly(Library).That().ResideInNamespaceMatching("^Mamba\\.Managed$"), [.. Folders.Select(name => $"{Root}.{name}")]);
    }

    [Test]
    public void The_order_names_every_folder()
    {
        IEnumerable<string> found = Library.GetTypes().Select(type => type.Namespace ?? "").Where(name => name.StartsWith(Root + ".", StringComparison.Ordinal))
            .Select(name => name.Split('.')[2]).Distinct();
        Assert.That(found, Is.EquivalentTo(Folders));
    }

    [Test]
    public void The_library_writes_to_no_console() => AssertIndependent(Types.InAssembly(Library).That().ResideInNamespaceStartingWith(Root), ["System.Console"]);

    [Test]
    public void Nothing_native_is_called_but_the_C_library_of_the_runtime()
    {
        const BindingFlags All = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        IEnumerable<string> called = Library.GetTypes().SelectMany(type => type.GetMethods(All))
            .Select(method => method.GetCustomAttribute<DllImportAttribute>()).OfType<DllImportAttribute>().Select(import => $"{import.Value} {import.EntryPoint}").Distinct();
        Assert.That(called, Is.EquivalentTo(new[] { "libc madvise", "libc open" }));
    }

    [Test]
    public void The_library_refers_to_managed_packages_alone()
    {
        IEnumerable<string> packages = Library.GetReferencedAssemblies().Select(name => name.Name!)
            .Where(name => !name.StartsWith("System.", StringComparison.Ordinal) || name == "System.Numerics.Tensors");
        Assert.That(packages, Is.EquivalentTo(new[] { "CommunityToolkit.HighPerformance", "System.Numerics.Tensors" }));
    }

    private static void AssertIndependent(PredicateList types, string[] others)
    {
        TestResult result = types.ShouldNot().HaveDependencyOnAny(others).GetResult();
        Assert.That(result.FailingTypeNames ?? [], Is.Empty);
    }
}
