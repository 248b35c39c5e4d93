using ILGPU.Algorithms;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>Falcon-Mamba's norms of dt, B and C, which have no weight: x / sqrt(mean(x^2) + epsilon).</summary>
internal readonly struct MixerNorms
{
    private readonly int isOn;
    private readonly int rank;
    private readonly int states;
    private readonly float epsilon;

    private MixerNorms(MambaConfig config)
    {
        isOn = config.MixerNormEpsilon is null ? 0 : 1;
        rank = config.DtRank;
        states = config.DState;
        epsilon = config.MixerNormEpsilon ?? 0;
    }

    /// <summary>Whether the model has them.</summary>
    public bool AreOn => isOn != 0;

    /// <summary>Those of a model; plain Mamba has none, and every scale is 1.</summary>
    public static MixerNorms Of(MambaConfig config) => new(config);

    /// <summary>What dt is multiplied by.</summary>
    /// <param name="squares">The sum of its entries' squares.</param>
    public float RankScale(float squares) => Scale(squares, rank);

    /// <summary>What B or C is multiplied by.</summary>
    /// <param name="squares">The sum of its entries' squares.</param>
    public float StateScale(float squares) => Scale(squares, states);

    private float Scale(float squares, int count) => isOn == 0 ? 1f : XMath.Rsqrt((squares / count) + epsilon);
}
