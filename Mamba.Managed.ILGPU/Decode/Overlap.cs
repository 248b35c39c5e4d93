using ILGPU.Runtime.Cuda;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>How a launch of a graph overlaps with the one before it, on NVIDIA GPUs from Hopper on; see <see cref="StepGraphs"/>.</summary>
/// <remarks>
/// Each kernel first lets the next one begin, then reads weights, slots and states, which no other kernel of the step writes, and then waits
/// for the kernel before it. Where launches do not overlap there is nothing to wait for.
/// </remarks>
internal static class Overlap
{
    /// <summary>Lets the next kernel begin as soon as all groups of this one have, and there is room.</summary>
    public static void LetNextBegin()
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("griddepcontrol.launch_dependents;");
        }
    }

    /// <summary>Waits until the kernels before this one have ended, and what they wrote can be read.</summary>
    public static void WaitForPrevious()
    {
        if (CudaAsm.IsSupported)
        {
            CudaAsm.Emit("griddepcontrol.wait;");
        }
    }
}
