using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Decode;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The plain step against float64: logits and states of several sequences over several tokens.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.All))]
public class PlainStepTests(TestDevice device)
{
    private static readonly MambaConfig Padded = new() { DModel = 20, NLayer = 2, VocabSize = 37, DInner = 36, DState = 5, DConv = 3, DtRank = 3 };

    private static IEnumerable<MambaConfig> Configurations =>
    [
        new() { DModel = 16, NLayer = 2, VocabSize = 32 },
        Padded,
        Padded with { InProjBias = true, OutProjBias = true, TieEmbeddings = false, MixerNormEpsilon = 1e-6f, DConv = 1 },
        Padded with { ConvBias = false, DConv = 4, DState = 16 },
    ];

    [TestCaseSource(nameof(Configurations))]
    public void Equals_float64(MambaConfig config)
    {
        RandomModel model = new(config);
        using UploadedModel uploaded = new(device.Session, model);
        using StepBuffers buffers = new(device.Session, uploaded.Weights.Shape, 3);
        PlainStep step = new(device.Session, uploaded.Weights, buffers);
        StepCheck.EqualsFloat64(device.Session, model, uploaded, 3, (tokens, slots, logits) =>
        {
            buffers.Send(tokens, slots);
            step.Run(tokens.Length, uploaded.Pool.View, logits);
        });
    }
}
