using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>A2 = -exp(A_log) log2(e), from which the scan's decay is exp2(delta A2).</summary>
/// <remarks>Padding states get a decay too; it multiplies states that are zero, since their B is.</remarks>
internal static class Decays
{
    /// <summary>Computes A2; one work item an entry.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="aLog">Entries of any channels and states.</param>
    /// <param name="a2">As many.</param>
    public static void Run(GpuSession session, ArrayView<float> aLog, ArrayView<float> a2)
    {
        if (a2.Length != aLog.Length)
        {
            throw new ArgumentException($"decays: expected room for {aLog.Length}, found {a2.Length}");
        }

        session.Plain<Arguments>(Entry)(checked((int)aLog.Length), new() { ALog = aLog, A2 = a2 });
    }

    private static void Entry(Index1D i, Arguments p) => p.A2[i] = -Elementary.Log2E * XMath.Exp2(p.ALog[i] * Elementary.Log2E);

    internal struct Arguments
    {
        public ArrayView<float> ALog;
        public ArrayView<float> A2;
    }
}
