using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The step in one launch, held to float64.</summary>
public abstract class PersistentChecks
{
    private protected static readonly MambaConfig Padded = new() { DModel = 20, NLayer = 2, VocabSize = 37, DInner = 36, DState = 17, DConv = 3, DtRank = 3 };

    private protected static void Check(GpuSession session, MambaConfig config, bool bfloat16, int threads)
    {
        RandomModel model = new(config, bfloat16);
        NumberType type = bfloat16 ? NumberType.BFloat16 : NumberType.Float32;
        using UploadedModel uploaded = new(session, model, type);
        using StepBuffers buffers = new(session, uploaded.Weights.Shape, 1);
        using PersistentStep step = new(session, uploaded.Weights, buffers, session.IsFast ? PersistentStep.KernelFor(type) : Emulated(type), threads);
        Assert.That(PersistentStep.Fits(uploaded.Weights.Shape, session.Accelerator.NumMultiprocessors));
        StepCheck.EqualsFloat64(session, model, uploaded, 1, (tokens, slots, logits) =>
        {
            buffers.Send(tokens, slots);
            step.Run(uploaded.Pool.View, logits);
        }, session.IsFast ? 5 : 2);
    }

    private static Action<PersistentArguments> Emulated(NumberType type) => type == NumberType.Float32 ? PersistentKernel.Template : PersistentKernel.EmulatedBFloat16;
}
