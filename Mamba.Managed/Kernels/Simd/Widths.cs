using System.Runtime.Intrinsics;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>A kernel over a range of independent entries, written once for every vector width.</summary>
internal interface IRangeKernel
{
    /// <summary>Computes entries from <paramref name="start"/> on for as long as a whole vector fits before <paramref name="end"/>.</summary>
    /// <returns>The first entry that is left for narrower vectors; <paramref name="end"/> with one lane.</returns>
    int Run<L, V>(int start, int end)
        where L : struct, ILanes<V>;
}

/// <summary>A kernel that does all of its work at one vector width and needs no tail.</summary>
internal interface IKernel
{
    /// <summary>Computes everything.</summary>
    void Run<L, V>()
        where L : struct, ILanes<V>;
}

/// <summary>Runs kernels with the widest vectors that <see cref="InstructionSets.Current"/> allows.</summary>
/// <remarks>
/// Kernels are structs, so the JIT compiles each for each width by itself and inlines its lanes. <see cref="InstructionSets.Current"/> is a static
/// read-only field, so the branches below disappear.
/// </remarks>
internal static class Widths
{
    /// <summary>Runs a kernel over [start, end): the widest vectors first, narrower ones for what is left.</summary>
    public static void Run<TKernel>(TKernel kernel, int start, int end)
        where TKernel : struct, IRangeKernel => Run(ref kernel, start, end);

    /// <summary>The same for a kernel that gathers a result in its fields.</summary>
    public static void Run<TKernel>(ref TKernel kernel, int start, int end)
        where TKernel : struct, IRangeKernel
    {
        // A width that has nothing left to do is not called, so it is never compiled either.
        if (InstructionSets.Current >= InstructionSet.Avx512 && start < end)
        {
            start = kernel.Run<Lanes512, Vector512<float>>(start, end);
        }

        if (InstructionSets.Current >= InstructionSet.Avx2 && start < end)
        {
            start = kernel.Run<Lanes256, Vector256<float>>(start, end);
        }

        if (InstructionSets.Current >= InstructionSet.Vector128 && start < end)
        {
            start = kernel.Run<Lanes128, Vector128<float>>(start, end);
        }

        if (start < end)
        {
            kernel.Run<LanesScalar, float>(start, end);
        }
    }

    /// <summary>Runs a kernel at the one width that is in use.</summary>
    public static void Run<TKernel>(TKernel kernel)
        where TKernel : struct, IKernel => Run(ref kernel);

    /// <summary>The same for a kernel that leaves a result in its fields.</summary>
    public static void Run<TKernel>(ref TKernel kernel)
        where TKernel : struct, IKernel
    {
        switch (InstructionSets.Current)
        {
            case InstructionSet.Avx512:
                kernel.Run<Lanes512, Vector512<float>>();
                break;
            case InstructionSet.Avx2:
                kernel.Run<Lanes256, Vector256<float>>();
                break;
            case InstructionSet.Vector128:
                kernel.Run<Lanes128, Vector128<float>>();
                break;
            default:
                kernel.Run<LanesScalar, float>();
                break;
        }
    }
}
