using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>A way of stepping, held to float64 and to its own bits.</summary>
public abstract class StepChecks(TestDevice device)
{
    private protected static readonly MambaConfig Tiny = new() { DModel = 20, NLayer = 2, VocabSize = 37, DState = 5, DConv = 3 };

    // Tests of one model follow one another, and large ones take long to make.
    private static (MambaConfig Config, NumberType Type, RandomModel Model)? latest;

    private protected GpuSession Session => device.Session;

    private protected void Check(MambaConfig config, NumberType type, StepWay way, int sequences)
    {
        GpuSession session = Session;
        RandomModel model = ModelOf(config, type);
        using UploadedModel uploaded = new(session, model, type);
        using StepPass pass = new(session, uploaded.Weights, uploaded.Pool, sequences, way);
        Assert.That(pass.WayFor(sequences), Is.EqualTo(way));
        float[] first = Logits(session, pass, uploaded, sequences);
        Assert.That(Logits(session, pass, uploaded, sequences), Is.EqualTo(first), "the same bits");
        StepCheck.EqualsFloat64(session, model, uploaded, sequences, (tokens, slots, logits) => pass.Run(tokens, slots, logits), steps: 3);
    }

    private static RandomModel ModelOf(MambaConfig config, NumberType type)
    {
        if (latest is not { } found || found.Config != config || found.Type != type)
        {
            found = (config, type, new(config, type == NumberType.BFloat16));
            latest = found;
        }

        return found.Model;
    }

    private static float[] Logits(GpuSession session, StepPass pass, UploadedModel uploaded, int sequences)
    {
        int[] slots = [.. Enumerable.Range(0, sequences).Select(_ => uploaded.Pool.Take())];
        using MemoryBuffer1D<float, Stride1D.Dense> logits = session.Allocate<float>(sequences * uploaded.Weights.Shape.LogitPitch);
        logits.MemSetToZero(session.Stream);
        for (int i = 0; i < 3; i++)
        {
            pass.Run([.. slots.Select((_, s) => i + s)], slots, logits.View);
        }

        float[] found = logits.GetAsArray1D(session.Stream);
        Array.ForEach(slots, uploaded.Pool.Return);
        return found;
    }
}
