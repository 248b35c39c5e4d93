using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>A slice of the fuzz, other steps on each instruction set; <c>eng/fuzz.sh</c> runs it for as long as one likes.</summary>
[NonParallelizable]
public class FuzzTests
{
    private static int Seed => 1 + (int)InstructionSets.Current;

    [TestCase("calls", "7s")]
    [TestCase("threads", "5s")]
    public void The_public_members_answer_or_refuse(string part, string limit) => Passes(new(part, limit, Seed));

    [TestCase("calls", "3s")]
    [TestCase("threads", "3s")]
    public void Nothing_is_written_beyond_its_memory(string part, string limit) => Passes(new(part, limit, Seed + 100) { ChecksMemory = true });

    [Test]
    public void A_checked_run_sees_a_byte_written_beyond_its_memory()
    {
        Assume.That(FuzzRun.CanCheckMemory, "glibc's debugging library is on Linux alone");
        (bool passed, string said) = new FuzzRun("overrun", "1", 1) { ChecksMemory = true }.Run();
        Assert.That(passed, Is.False, said);
        Assert.That(said, Does.Contain("overrun, seed 1, step 0: ended with 134"));
    }

    private static void Passes(FuzzRun run)
    {
        (bool passed, string said) = run.Run();
        Assert.That(passed, said);
    }
}
