using System.Collections.Frozen;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The metadata that say what a GGUF file is: a file that asks for more than this library does is refused by the key's name.</summary>
/// <remarks>
/// Keys of the architecture change what a model computes, so each is known or refused. Those of other groups do not: <c>general</c> describes
/// the file, <c>split</c> its parts, <c>quantize</c> how it was made; <c>tokenizer</c> is read by <see cref="GgufVocabulary"/>.
/// </remarks>
internal static class GgufKeys
{
    /// <summary>The architecture that this library runs.</summary>
    public const string Architecture = "mamba";

    private const string Prefix = Architecture + ".";
    private const string TypeKey = "general.type";
    private const string LayoutKey = "general.quantization_version";
    private const string AdapterPrefix = "adapter.";
    private const int Layout = 2;

    private static readonly FrozenSet<string> read = FrozenSet.ToFrozenSet(
    [
        Prefix + "embedding_length", Prefix + "block_count", Prefix + "vocab_size", Prefix + "attention.layer_norm_rms_epsilon",
        Prefix + "ssm.conv_kernel", Prefix + "ssm.inner_size", Prefix + "ssm.state_size", Prefix + "ssm.time_step_rank",
        Prefix + "ssm.dt_b_c_rms", Prefix + "ssm.dt_b_c_rms_epsilon",

        // How long the texts of training were: a recurrent model has no limit.
        Prefix + "context_length",
    ]);

    // Writers of converters put them down because other architectures require them: 0 says that there is no such part.
    private static readonly FrozenDictionary<string, int> fixedValues = new Dictionary<string, int>
    {
        [Prefix + "feed_forward_length"] = 0,
        [Prefix + "attention.head_count"] = 0,
        [Prefix + "attention.head_count_kv"] = 0,
        [Prefix + "rope.dimension_count"] = 0,
        [Prefix + "ssm.group_count"] = 0,
        [Prefix + "expert_count"] = 0,
        [Prefix + "expert_used_count"] = 0,
    }.ToFrozenDictionary();

    /// <summary>Refuses a file that is no model of the architecture, or whose metadata ask for what this library does not do.</summary>
    /// <param name="metadata">Of the file, or of its first part.</param>
    /// <param name="isQuantized">Whether it holds tensors in blocks.</param>
    /// <exception cref="InvalidDataException">The message names the key.</exception>
    public static void Require(GgufMetadata metadata, bool isQuantized)
    {
        if (metadata.GetString(TypeKey) is { } type && type != "model")
        {
            throw new InvalidDataException($"{TypeKey}: expected model, found {Shortened.Text(type)}; give the file of the model itself");
        }

        if (metadata.GetString(GgufLayout.ArchitectureKey) is var architecture && architecture != Architecture)
        {
            throw new InvalidDataException(
                $"{GgufLayout.ArchitectureKey}: expected {Architecture}, found {Shortened.Text(architecture ?? "none")}; this library runs Mamba and Falcon-Mamba models");
        }

        foreach (string key in metadata.Keys)
        {
            RequireKey(metadata, key);
        }

        int layout = metadata.GetInteger(LayoutKey, Layout);
        if (isQuantized && layout != Layout)
        {
            throw new InvalidDataException(Throw.Invariant($"{LayoutKey}: expected {Layout}, found {layout}, which stores blocks in another way; quantize the model again"));
        }
    }

    private static void RequireKey(GgufMetadata metadata, string key)
    {
        if (fixedValues.TryGetValue(key, out int only))
        {
            int found = metadata.GetInteger(key);
            if (found != only)
            {
                throw new InvalidDataException(Throw.Invariant($"{key}: expected {only}, found {found}; this library runs models of Mamba blocks alone"));
            }
        }
        else if ((key.StartsWith(Prefix, StringComparison.Ordinal) && !read.Contains(key)) || key.StartsWith(AdapterPrefix, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{Shortened.Text(key)}: expected a key of a Mamba model, found one that is not known and may change what it computes");
        }
    }
}
