namespace Mamba.Managed.Models;

/// <summary>The sizes and options of a Mamba language model; defaults are those of the published Mamba checkpoints.</summary>
/// <remarks>Gu and Dao 2023, section 3.4; names follow the paper and <c>config.json</c>. <see cref="Validate"/> checks all of them before anything is allocated.</remarks>
public sealed record MambaConfig
{
    /// <summary>Features of a token between blocks: d_model.</summary>
    public required int DModel { get; init; }

    /// <summary>How many residual blocks.</summary>
    public required int NLayer { get; init; }

    /// <summary>Rows of the embedding, padding included; <see cref="PaddedVocabulary"/> gives them for a number of tokens.</summary>
    public required int VocabSize { get; init; }

    /// <summary>States of one channel: d_state, N in the paper.</summary>
    public int DState { get; init; } = 16;

    /// <summary>Width of the causal convolution in tokens: d_conv.</summary>
    public int DConv { get; init; } = 4;

    /// <summary>Channels of a block: d_inner, usually 2 x <see cref="DModel"/>, which 0 stands for.</summary>
    public int DInner { get => field == 0 ? (int)Math.Min(2L * DModel, int.MaxValue) : field; init; }

    /// <summary>Rank of the projection of the step: dt_rank. 0 stands for ceil(<see cref="DModel"/> / 16).</summary>
    public int DtRank { get => field == 0 ? (int)((DModel + 15L) / 16) : field; init; }

    /// <summary>Whether the input projection has a bias.</summary>
    public bool InProjBias { get; init; }

    /// <summary>Whether the convolution has a bias.</summary>
    public bool ConvBias { get; init; } = true;

    /// <summary>Whether the output projection has a bias.</summary>
    public bool OutProjBias { get; init; }

    /// <summary>Whether embedding and output head are one tensor.</summary>
    public bool TieEmbeddings { get; init; } = true;

    /// <summary>Added to the mean square inside the root of every RMS norm.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Falcon-Mamba normalizes dt, B and C by RMS without a weight, with this epsilon; null for plain Mamba.</summary>
    public float? MixerNormEpsilon { get; init; }

    /// <summary>Smallest initial step.</summary>
    public float DtMin { get; init; } = 0.001f;

    /// <summary>Largest initial step.</summary>
    public float DtMax { get; init; } = 0.1f;

    /// <summary>Lower bound of every initial step.</summary>
    public float DtInitFloor { get; init; } = 1e-4f;

    /// <summary>Initial entries of dt_proj lie within plus or minus this value divided by sqrt(dt_rank).</summary>
    public float DtScale { get; init; } = 1;

    /// <summary>Standard deviation of the initial embedding.</summary>
    public float InitializerRange { get; init; } = 0.02f;

    /// <summary>Whether the initial out_proj is divided by sqrt(n_layer), so that the residual stream keeps its scale.</summary>
    public bool RescalePrenormResidual { get; init; } = true;

    /// <summary>The tokens that end a text, where the checkpoint names some; the usual one first.</summary>
    /// <remarks>They need not be ids of the vocabulary: a checkpoint's tokenizer is what they are checked against, when it is loaded.</remarks>
    public IReadOnlyList<int> EndTokenIds { get; init => field = TokenIdList.Of(value); } = TokenIdList.Empty;

    /// <summary>The first of <see cref="EndTokenIds"/>; null where there is none.</summary>
    public int? EndTokenId { get => EndTokenIds is [int first, ..] ? first : null; init => EndTokenIds = value is { } id ? [id] : []; }

    /// <summary>The token that begins a text, where the checkpoint names one. It is kept for the next file and read by nobody here.</summary>
    public int? BeginTokenId { get; init; }

    /// <summary>The token that fills up batches, where the checkpoint names one. It is kept for the next file and read by nobody here.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Parameters of the whole model; shared tensors count once.</summary>
    public long ParameterCount
    {
        get
        {
            long inner = DInner;
            long projections = (2 * inner * DModel) + (inner * (DtRank + (2L * DState))) + (inner * DtRank) + (inner * DModel);
            long biases = (InProjBias ? 2 * inner : 0) + (ConvBias ? inner : 0) + inner + (OutProjBias ? DModel : 0);
            long block = projections + biases + (inner * DConv) + (inner * DState) + inner + DModel;
            return (NLayer * block) + DModel + ((TieEmbeddings ? 1L : 2L) * VocabSize * DModel);
        }
    }

    /// <summary>Rows of an embedding: the number of tokens rounded up to a multiple, as the original code pads a vocabulary.</summary>
    /// <param name="tokens">One more than the largest id.</param>
    /// <param name="multiple">8 is the default of the original code.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is not positive, or the number of rows exceeds an int.</exception>
    public static int PaddedVocabulary(int tokens, int multiple = 8)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(tokens);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(multiple);
        long rows = ((long)tokens + multiple - 1) / multiple * multiple;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, int.MaxValue, nameof(tokens));
        return (int)rows;
    }

    /// <summary>Checks every value and returns this configuration with its defaults filled in.</summary>
    /// <exception cref="ArgumentException">A value is out of range; the message names it, the value and the range.</exception>
    public MambaConfig Validate()
    {
        Check(DModel, 1, 1 << 16, "d_model");
        Check(NLayer, 1, 4096, "n_layer");
        Check(VocabSize, 1, 1 << 24, "vocab_size");
        Check(DState, 1, 1024, "d_state");
        Check(DConv, 1, 64, "d_conv");
        Check(DInner, 1, 1 << 18, "d_inner");
        Check(DtRank, 1, 1 << 16, "dt_rank");
        Check(NormEpsilon, "layer_norm_epsilon");
        Check(MixerNormEpsilon ?? NormEpsilon, "mixer_rms_eps");
        Check(DtMin, "time_step_min");
        Check(DtMax, "time_step_max");
        Check((long)VocabSize * DModel, 1, int.MaxValue, "vocab_size x d_model");
        Check(2L * DInner * DModel, 1, int.MaxValue, "2 x d_inner x d_model");
        Check((DtRank + (2L * DState)) * DInner, 1, int.MaxValue, "(dt_rank + 2 x d_state) x d_inner");
        return this with { DInner = DInner, DtRank = DtRank };
    }

    /// <summary>As <see cref="Validate"/>, for a configuration that was read from a file.</summary>
    /// <exception cref="InvalidDataException">A value is out of range.</exception>
    internal MambaConfig ValidateRead()
    {
        try
        {
            return Validate();
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException(error.Message, error);
        }
    }

    private static void Check(long value, long least, long most, string name)
    {
        if (value < least || value > most)
        {
            Throw.Argument(Throw.Invariant($"{name}: expected {least} to {most}, found {value}"), null);
        }
    }

    private static void Check(float value, string name)
    {
        if (!(value >= 0 && value < 1e6f))
        {
            Throw.Argument(Throw.Invariant($"{name}: expected a number from 0 to 1e6, found {value}"), null);
        }
    }
}
