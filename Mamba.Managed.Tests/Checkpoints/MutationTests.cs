using Mamba.Managed.Tests.Fuzz;

namespace Mamba.Managed.Tests.Checkpoints;

/// <summary>Readers under thousands of damaged files; <c>eng/fuzz.sh</c> runs a million for each.</summary>
public class MutationTests
{
    private const string Count = "10000";

    public static IEnumerable<string> Names => Readers.All.Keys;

    [TestCaseSource(nameof(Names))]
    public void A_damaged_file_is_read_or_refused_in_bounded_memory(string reader)
    {
        (bool passed, string said) = new FuzzRun(reader, Count, 1).Run();
        Assert.That(passed, said);
    }
}
