using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.CPU;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The step in one launch by several groups at once, emulated; a GPU has them in the other tests.</summary>
public class PersistentGroupTests : PersistentChecks
{
    [Test]
    public void Several_groups_equal_float64()
    {
        Context context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2).Math(MathMode.Fast).EnableAlgorithms().CPU(new CPUDevice(32, 2, 3)));
        using GpuSession session = new(context, context.GetDevice<CPUDevice>(0).CreateAccelerator(context));
        Check(session, Padded with { DInner = 40 }, bfloat16: true, threads: 64);
    }
}
