using System.Text.Json;
using Mamba.Managed.Models;

namespace Mamba.Managed.Checkpoints;

/// <summary>Reads <c>config.json</c> of Mamba and Falcon-Mamba checkpoints.</summary>
public static class ConfigFile
{
    private const long LongestFile = 1 << 20;

    /// <summary>Reads and checks a configuration.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not such a configuration, or a value cannot be built.</exception>
    public static MambaConfig Read(string path)
    {
        FileInfo file = new(path);
        if (file.Exists && file.Length > LongestFile)
        {
            throw new InvalidDataException(Throw.Invariant($"{path}: expected at most {LongestFile} bytes, found {file.Length}"));
        }

        try
        {
            return Parse(File.ReadAllBytes(path));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or InvalidDataException)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    internal static MambaConfig Parse(ReadOnlyMemory<byte> json)
    {
        using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16 });
        JsonElement root = document.RootElement;
        return (root.TryGetProperty("model_type", out JsonElement type) ? type.GetString() : null) switch
        {
            "mamba" or "falcon_mamba" => HuggingFace(root).Validate(),
            null when root.TryGetProperty("d_model", out _) => Original(root).Validate(),
            string other => throw new InvalidDataException($"model_type: expected mamba or falcon_mamba, found {other}"),
            null => throw new InvalidDataException("expected model_type, or d_model of the original layout; found neither"),
        };
    }

    private static MambaConfig HuggingFace(JsonElement root)
    {
        bool falcon = root.GetProperty("model_type").GetString() == "falcon_mamba";
        string activation = Get(root, "hidden_act")?.GetString() ?? "silu";
        if (activation != "silu")
        {
            throw new InvalidDataException($"hidden_act: expected silu, found {activation}");
        }

        int width = Integer(root, "hidden_size");
        long expand = Integer(root, "expand", 2);
        return new MambaConfig
        {
            DModel = width,
            NLayer = Integer(root, "num_hidden_layers", Integer(root, "n_layer", 0)),
            VocabSize = Integer(root, "vocab_size"),
            DState = Integer(root, "state_size", 16),
            DConv = Integer(root, "conv_kernel", 4),
            DInner = Integer(root, "intermediate_size", (int)Math.Clamp(expand * width, int.MinValue, int.MaxValue)),
            DtRank = Get(root, "time_step_rank") is { ValueKind: JsonValueKind.Number } rank ? rank.GetInt32() : 0,
            InProjBias = Boolean(root, "use_bias", false),
            OutProjBias = Boolean(root, "use_bias", false),
            ConvBias = Boolean(root, "use_conv_bias", true),
            TieEmbeddings = Boolean(root, "tie_word_embeddings", true),
            NormEpsilon = Number(root, "layer_norm_epsilon", 1e-5f),
            MixerNormEpsilon = falcon ? Number(root, "mixer_rms_eps", 1e-6f) : null,
            EndTokenId = Get(root, "eos_token_id") is { ValueKind: JsonValueKind.Number } end ? end.GetInt32() : null,
        };
    }

    private static MambaConfig Original(JsonElement root)
    {
        JsonElement mixer = Get(root, "ssm_cfg") ?? default;
        string layer = Get(mixer, "layer")?.GetString() ?? "Mamba1";
        if (layer != "Mamba1" || !Boolean(root, "rms_norm", true))
        {
            throw new InvalidDataException($"expected Mamba1 layers with rms_norm, found {layer} with rms_norm {Boolean(root, "rms_norm", true)}");
        }

        int width = Integer(root, "d_model");
        long multiple = Math.Max(Integer(root, "pad_vocab_size_multiple", 8), 1);
        long vocabulary = (Integer(root, "vocab_size") + multiple - 1) / multiple * multiple;
        return new MambaConfig
        {
            DModel = width,
            NLayer = Integer(root, "n_layer"),
            VocabSize = (int)Math.Clamp(vocabulary, int.MinValue, int.MaxValue),
            DState = Integer(mixer, "d_state", 16),
            DConv = Integer(mixer, "d_conv", 4),
            DInner = (int)Math.Clamp((long)Integer(mixer, "expand", 2) * width, int.MinValue, int.MaxValue),
            DtRank = Get(mixer, "dt_rank") is { ValueKind: JsonValueKind.Number } rank ? rank.GetInt32() : 0,
            InProjBias = Boolean(mixer, "bias", false),
            OutProjBias = Boolean(mixer, "bias", false),
            ConvBias = Boolean(mixer, "conv_bias", true),
            TieEmbeddings = Boolean(root, "tie_embeddings", true),
        };
    }

    private static JsonElement? Get(JsonElement root, string name) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static int Integer(JsonElement root, string name, int? otherwise = null)
    {
        JsonElement? value = Get(root, name);
        if (value is null)
        {
            return otherwise ?? throw new InvalidDataException($"{name}: expected a number, found nothing");
        }

        return value.Value.ValueKind == JsonValueKind.Number && value.Value.TryGetInt32(out int number)
            ? number
            : throw new InvalidDataException($"{name}: expected a whole number below 2^31, found {value.Value.GetRawText()}");
    }

    private static float Number(JsonElement root, string name, float otherwise) => Get(root, name)?.GetSingle() ?? otherwise;

    private static bool Boolean(JsonElement root, string name, bool otherwise) => Get(root, name)?.GetBoolean() ?? otherwise;
}
