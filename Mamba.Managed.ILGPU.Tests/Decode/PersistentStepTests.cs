using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Tests.Decode;

/// <summary>The step in one launch against float64; a single group takes it on devices without NVIDIA's instructions.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.WithWarps))]
public class PersistentStepTests(TestDevice device) : PersistentChecks
{
    private static IEnumerable<MambaConfig> Configurations =>
    [
        Padded,
        Padded with { InProjBias = true, OutProjBias = true, TieEmbeddings = false, MixerNormEpsilon = 1e-6f, DConv = 1, DState = 5 },
        new() { DModel = 180, NLayer = 1, VocabSize = 16, DInner = 60, DtRank = 70, DState = 40, ConvBias = false },
    ];

    [Test]
    public void Equals_float64([ValueSource(nameof(Configurations))] MambaConfig config, [Values] bool bfloat16)
    {
        Check(device.Session, config, bfloat16, device.Session.IsFast ? 768 : 192);
    }
}
