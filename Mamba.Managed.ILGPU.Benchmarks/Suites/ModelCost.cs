using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>What a pass of a model costs at least.</summary>
/// <param name="config">The sizes.</param>
/// <param name="isBFloat16">The type of weights and activations; else float32.</param>
internal sealed class ModelCost(MambaConfig config, bool isBFloat16)
{
    private const int ScanOperations = 7;

    private readonly int bytes = isBFloat16 ? 2 : 4;

    // Multiplications of a token in a layer's four products.
    private long Products => (long)config.DInner * ((2 * config.DModel) + (config.DtRank + (2 * config.DState)) + config.DtRank + config.DModel);

    private long Head => (long)config.VocabSize * config.DModel;

    private long State => (long)config.NLayer * config.DInner * (config.DState + config.DConv);

    // What a token's layer writes and reads: residual, its norm, u and z, the convolution's result (for two readers), dt, B, C, delta, y.
    private long Activations => (8L * config.DModel) + (bytes * ((2L * config.DModel) + (11L * config.DInner) + (3L * (config.DtRank + (2 * config.DState)))));

    /// <summary>Bytes of a step of some sequences: every weight once, every state read and written.</summary>
    public double StepBytes(int sequences) => (bytes * ((config.NLayer * Products) + Head)) + (8.0 * sequences * State);

    /// <summary>Operations of a step.</summary>
    public double StepOperations(int sequences) => PassOperations(sequences, sequences);

    /// <summary>Bytes of a pass: every weight once, every activation written and read.</summary>
    public double PassBytes(int tokens, int sequences) => StepBytes(sequences) + ((double)config.NLayer * tokens * Activations);

    /// <summary>Operations of a pass, those of matrix instructions: a product of float32 is three.</summary>
    public double PassOperations(int tokens, int logits) =>
        (isBFloat16 ? 2.0 : 6.0) * ((config.NLayer * Products * (double)tokens) + (Head * (double)logits)) + (ScanOperations * (double)config.NLayer * config.DInner * config.DState * tokens);

    /// <summary>Bytes of forward and backward in float32: about three passes.</summary>
    public double TrainingBytes(int tokens) => 3 * PassBytes(tokens, tokens);

    /// <summary>Operations of forward and backward: each product once forward and twice backward.</summary>
    public double TrainingOperations(int tokens) => 3 * PassOperations(tokens, tokens);

    /// <summary>The unit that multiplies in passes.</summary>
    public static Rate Rate => Rate.BFloat16;
}
