using Mamba.Managed.Layers;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The configuration of a model in a GGUF file's metadata.</summary>
internal static class GgufConfig
{
    /// <summary>The architecture that this library runs.</summary>
    public const string Architecture = GgufKeys.Architecture;

    private const string Prefix = Architecture + ".";
    private const string Width = Prefix + "embedding_length";
    private const string Blocks = Prefix + "block_count";
    private const string Kernel = Prefix + "ssm.conv_kernel";
    private const string InnerSize = Prefix + "ssm.inner_size";
    private const string StateSize = Prefix + "ssm.state_size";
    private const string Rank = Prefix + "ssm.time_step_rank";
    private const string MixerNorm = Prefix + "ssm.dt_b_c_rms";
    private const string Epsilon = Prefix + "attention.layer_norm_rms_epsilon";
    private const string VocabularySize = Prefix + "vocab_size";

    // GGUF has one epsilon, Falcon-Mamba two: this key of our own is written where they differ. llama.cpp uses one for both and ignores unknown keys.
    private const string MixerEpsilon = Prefix + "ssm.dt_b_c_rms_epsilon";

    // The value that llama.cpp's converter writes: a recurrent model has no limit, but the key is required.
    private const uint ContextLength = 1 << 20;

    /// <summary>The configuration of a file, from its metadata and tensors.</summary>
    /// <exception cref="InvalidDataException">The file is of another architecture, or a value is missing or out of range.</exception>
    public static MambaConfig Read(GgufFile file)
    {
        GgufMetadata metadata = file.Metadata;
        GgufKeys.Require(metadata, file.Tensors.Values.Any(tensor => tensor.Type.IsQuantized()));
        if (!file.Tensors.TryGetValue(GgufNames.Embedding, out Tensor? embedding))
        {
            throw new InvalidDataException(
                $"expected a tensor {GgufNames.Embedding}, found {(file.Tensors.Count == 0 ? "a file without tensors, which holds a tokenizer alone" : "none among " + Shortened.List(file.Tensors.Keys))}");
        }

        int rows = metadata.GetInteger(VocabularySize, embedding.Shape[0]);
        if (rows != embedding.Shape[0])
        {
            throw new InvalidDataException(Throw.Invariant($"{VocabularySize}: expected {embedding.Shape[0]}, the rows of {GgufNames.Embedding}, found {rows}"));
        }

        int blocks = metadata.GetInteger(Blocks);
        if (blocks > file.Tensors.Count)
        {
            throw new InvalidDataException(Throw.Invariant($"{Blocks}: expected no more blocks than the {file.Tensors.Count} tensors, found {blocks}"));
        }

        float epsilon = metadata.GetNumber(Epsilon);
        MambaConfig config = new()
        {
            DModel = metadata.GetInteger(Width),
            NLayer = blocks,
            VocabSize = embedding.Shape[0],
            DState = metadata.GetInteger(StateSize),
            DConv = metadata.GetInteger(Kernel),
            DInner = metadata.GetInteger(InnerSize),
            DtRank = metadata.GetInteger(Rank),
            InProjBias = file.Tensors.ContainsKey(GgufNames.OfBlock(0, "ssm_in.bias")),
            ConvBias = file.Tensors.ContainsKey(GgufNames.OfBlock(0, "ssm_conv1d.bias")),
            OutProjBias = file.Tensors.ContainsKey(GgufNames.OfBlock(0, "ssm_out.bias")),
            TieEmbeddings = !file.Tensors.ContainsKey(GgufNames.Head),
            NormEpsilon = epsilon,
            MixerNormEpsilon = !metadata.GetBoolean(MixerNorm) ? null
                : metadata.ContainsKey(MixerEpsilon) ? metadata.GetNumber(MixerEpsilon) : epsilon,
        };
        return GgufVocabulary.WithIds(config, metadata).ValidateRead();
    }

    /// <summary>Writes a configuration into a file's metadata.</summary>
    public static void Write(GgufMetadata metadata, MambaConfig config)
    {
        metadata[Prefix + "context_length"] = GgufValue.From(ContextLength);
        metadata[Width] = GgufValue.From((uint)config.DModel);
        metadata[Prefix + "feed_forward_length"] = GgufValue.From(0u);
        metadata[Prefix + "attention.head_count"] = GgufValue.From(0u);
        metadata[Blocks] = GgufValue.From((uint)config.NLayer);
        metadata[Kernel] = GgufValue.From((uint)config.DConv);
        metadata[InnerSize] = GgufValue.From((uint)config.DInner);
        metadata[StateSize] = GgufValue.From((uint)config.DState);
        metadata[Rank] = GgufValue.From((uint)config.DtRank);
        metadata[Epsilon] = GgufValue.From(config.NormEpsilon);
        metadata[MixerNorm] = GgufValue.From(config.MixerNormEpsilon is not null);
        if (config.MixerNormEpsilon is { } epsilon && epsilon != config.NormEpsilon)
        {
            metadata[MixerEpsilon] = GgufValue.From(epsilon);
        }

        metadata[VocabularySize] = GgufValue.From((uint)config.VocabSize);
    }
}
