using System.Globalization;
using Mamba.Managed.Layers;
using Mamba.Managed.Models;

namespace Mamba.Managed.Checkpoints.Gguf;

/// <summary>The names of tensors in GGUF files and in checkpoints.</summary>
internal static class GgufNames
{
    /// <summary>The embedding's name in GGUF files.</summary>
    public const string Embedding = "token_embd.weight";

    /// <summary>The name in GGUF files of a head that is not tied.</summary>
    public const string Head = "output.weight";

    private const string BlockPrefix = "blk.";
    private const string LayerPrefix = "backbone.layers.";

    private static readonly (string Gguf, string Canonical)[] Outer =
    [
        (Embedding, ModelParameters.Embedding),
        ("output_norm.weight", "backbone.norm_f.weight"),
        (Head, ModelParameters.Head),
    ];

    // The biases of ssm_in and ssm_out are names of our own: no published model has them, and llama.cpp does not read them.
    private static readonly (string Gguf, string Canonical)[] Inner =
    [
        ("attn_norm.weight", "norm.weight"),
        ("ssm_a", "mixer.A_log"),
        ("ssm_conv1d.bias", "mixer.conv1d.bias"),
        ("ssm_conv1d.weight", "mixer.conv1d.weight"),
        ("ssm_d", "mixer.D"),
        ("ssm_dt.bias", "mixer.dt_proj.bias"),
        ("ssm_dt.weight", "mixer.dt_proj.weight"),
        ("ssm_in.bias", "mixer.in_proj.bias"),
        ("ssm_in.weight", "mixer.in_proj.weight"),
        ("ssm_out.bias", "mixer.out_proj.bias"),
        ("ssm_out.weight", "mixer.out_proj.weight"),
        ("ssm_x.weight", "mixer.x_proj.weight"),
    ];

    /// <summary>A block's tensor.</summary>
    public static string OfBlock(int block, string part) => Throw.Invariant($"{BlockPrefix}{block}.{part}");

    /// <summary>The checkpoint's name of a GGUF tensor; null for one that no Mamba model has.</summary>
    public static string? ToCanonical(string gguf)
    {
        if (Split(gguf, BlockPrefix) is not { } split)
        {
            return Array.Find(Outer, pair => pair.Gguf == gguf).Canonical;
        }

        string? part = Array.Find(Inner, pair => pair.Gguf == split.Part).Canonical;
        return part is null ? null : Throw.Invariant($"{LayerPrefix}{split.Number}.{part}");
    }

    /// <summary>The GGUF name of a checkpoint's tensor; null for one that no Mamba model has.</summary>
    public static string? ToGguf(string canonical)
    {
        if (Split(canonical, LayerPrefix) is not { } split)
        {
            return Array.Find(Outer, pair => pair.Canonical == canonical).Gguf;
        }

        string? part = Array.Find(Inner, pair => pair.Canonical == split.Part).Gguf;
        return part is null ? null : OfBlock(split.Number, part);
    }

    private static (int Number, string Part)? Split(string name, string prefix)
    {
        if (!name.StartsWith(prefix, StringComparison.Ordinal))
        {
            return null;
        }

        ReadOnlySpan<char> rest = name.AsSpan(prefix.Length);
        int dot = rest.IndexOf('.');
        return dot > 0 && int.TryParse(rest[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? (number, rest[(dot + 1)..].ToString())
            : null;
    }
}
