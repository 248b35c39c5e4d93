using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The step of batches against float64; without matrix instructions on devices that have none.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class BatchStepTests(TestDevice device)
{
    private static readonly MambaConfig Padded = new() { DModel = 20, NLayer = 1, VocabSize = 37, DInner = 36, DState = 17, DConv = 2, DtRank = 3 };

    private static IEnumerable<MambaConfig> Configurations =>
    [
        Padded,
        Padded with { InProjBias = true, OutProjBias = true, TieEmbeddings = false, MixerNormEpsilon = 1e-6f, DConv = 1, DState = 5 },
        new() { DModel = 80, NLayer = 1, VocabSize = 16, DInner = 272, DtRank = 20, ConvBias = false },
    ];

    [Test]
    public void Equals_float64([ValueSource(nameof(Configurations))] MambaConfig config, [Values] bool bfloat16)
    {
        GpuSession session = device.Session;
        RandomModel model = new(config, bfloat16);
        NumberType type = bfloat16 ? NumberType.BFloat16 : NumberType.Float32;
        using UploadedModel uploaded = new(session, model, type);
        using StepBuffers buffers = new(session, uploaded.Weights.Shape, 3);
        using BatchStep step = new(session, uploaded.Weights, buffers, session.IsFast ? BatchKernels.Of(session, type) : Emulated(session, type));
        StepCheck.EqualsFloat64(session, model, uploaded, 2, (tokens, slots, logits) =>
        {
            // The third sequence is not there.
            buffers.Send(tokens, slots);
            step.Run(3, uploaded.Pool.View, logits);
        }, session.IsFast ? 5 : 2);
    }

    private static BatchKernels Emulated(GpuSession session, NumberType type) => type == NumberType.Float32
        ? new()
        {
            Input = Product(session, StepProductKernels.EmulatedIn),
            Output = Product(session, StepProductKernels.Template),
            Head = Product(session, StepProductKernels.Template),
            Advance = StepAdvanceKernels.Float32,
        }
        : new()
        {
            Input = Product(session, StepProductKernels.EmulatedInBFloat16),
            Output = Product(session, StepProductKernels.EmulatedBFloat16),
            Head = Product(session, StepProductKernels.EmulatedBFloat16),
            Advance = StepAdvanceKernels.BFloat16Weights,
        };

    private static StepProduct Product(GpuSession session, Action<StepProductArguments> kernel) => new(session, new(32, 8), (16, kernel));
}
