using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>Every way of stepping that an NVIDIA GPU has, at the widths of published models: against float64, and twice with the same bits.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Fast))]
public class FastStepTests(TestDevice device) : StepChecks(device)
{
    private static IEnumerable<MambaConfig> Wide =>
    [
        new() { DModel = 768, NLayer = 2, VocabSize = 5000 },
        new() { DModel = 2048, NLayer = 1, VocabSize = 400 },
        new() { DModel = 2560, NLayer = 1, VocabSize = 400 },
        new() { DModel = 1000, NLayer = 1, VocabSize = 400, DInner = 2040, DtRank = 70, DState = 40, DConv = 3, InProjBias = true, OutProjBias = true, MixerNormEpsilon = 1e-6f },
    ];

    [Test]
    public void Every_way_equals_float64_twice(
        [ValueSource(nameof(Wide))] MambaConfig config, [Values] bool bfloat16, [Values] bool recorded, [Values(1, 3, 9, 34)] int sequences)
    {
        Check(config, bfloat16 ? NumberType.BFloat16 : NumberType.Float32, recorded ? StepWay.Graph : StepWay.Launches, sequences);
    }

    [Test]
    public void Persistent_equals_float64_twice([ValueSource(nameof(Wide))] MambaConfig config, [Values] bool bfloat16)
    {
        Check(config, bfloat16 ? NumberType.BFloat16 : NumberType.Float32, StepWay.Persistent, 1);
    }

    [Test]
    public void The_likeliest_token_is_taken()
    {
        GpuSession session = Session;
        using UploadedModel uploaded = new(session, new(Tiny));
        using StepPass pass = new(session, uploaded.Weights, uploaded.Pool, 2);
        int pitch = uploaded.Weights.Shape.LogitPitch;
        using MemoryBuffer1D<float, Stride1D.Dense> logits = session.Allocate<float>(2 * pitch);
        pass.Run([1, 2], [uploaded.Pool.Take(), uploaded.Pool.Take()], logits.View);
        float[] first = logits.GetAsArray1D(session.Stream);
        pass.TakeLikeliest(2, uploaded.Weights.Shape, logits.View);
        pass.Advance(2, logits.View);
        float[] found = logits.GetAsArray1D(session.Stream);

        int[] likeliest = [.. Enumerable.Range(0, 2).Select(s => Likeliest(first.AsSpan(s * pitch, Tiny.VocabSize)))];
        int[] slots = [uploaded.Pool.Take(), uploaded.Pool.Take()];
        pass.Run([1, 2], slots, logits.View);
        pass.Run(likeliest, slots, logits.View);
        Assert.That(found, Is.EqualTo(logits.GetAsArray1D(session.Stream)));
    }

    [Test]
    public void The_drivers_compiler_keeps_all_in_registers([Values] bool bfloat16)
    {
        CudaKernel kernel = (CudaKernel)Session.KernelOf(PersistentStep.KernelFor(bfloat16 ? NumberType.BFloat16 : NumberType.Float32), 768);
        Assert.That(CudaDriver.Resources(kernel.FunctionPtr).LocalBytes, Is.Zero);
    }

    private static int Likeliest(ReadOnlySpan<float> row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++)
        {
            best = row[i] > row[best] ? i : best;
        }

        return best;
    }
}
