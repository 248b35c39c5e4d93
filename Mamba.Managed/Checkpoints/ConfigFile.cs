using System.Text.Json;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>Reads <c>config.json</c> in the layouts of Hugging Face and of the original repository, and writes the former.</summary>
/// <remarks>
/// A field that is absent has the default of the library that wrote the file: transformers' <c>MambaConfig</c> and
/// <c>FalconMambaConfig</c>, or <c>MambaConfig</c> and <c>Mamba</c> of state-spaces/mamba. What this library cannot compute is refused by name.
/// </remarks>
internal static class ConfigFile
{
    private const int MaxLength = 1 << 20;

    // transformers has one switch for both projections; this field is written only where they differ.
    private const string OutProjBiasField = "use_out_proj_bias";

    private static readonly string[] ssmFields =
        ["layer", "d_state", "d_conv", "expand", "dt_rank", "dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor", "conv_bias", "bias", "use_fast_path"];

    /// <summary>Reads and validates a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not JSON, a value is out of range, or the model is of an unsupported kind.</exception>
    public static MambaConfig Read(string path) => UntrustedFile.ReadJson(path, MaxLength, json =>
    {
        JsonFields fields = new(json);
        fields.RequireFlag("rms_norm", true);
        return (fields.Has("model_type"), fields.Has("d_model")) switch
        {
            (true, _) => ReadHuggingFace(fields).ValidateRead(),
            (false, true) => ReadOriginal(fields).ValidateRead(),
            _ => throw new InvalidDataException("expected model_type (Hugging Face) or d_model (original layout), found neither; this is no Mamba configuration"),
        };
    });

    /// <summary>Writes the layout of Hugging Face, under a temporary name that is then renamed.</summary>
    /// <param name="path">The file to make or to replace.</param>
    /// <param name="config">What to write.</param>
    /// <param name="type">How the weights are stored beside it.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    internal static void Write(string path, MambaConfig config, ElementType type)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        AtomicFile.Write(path, stream =>
        {
            using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
            json.WriteStartObject();
            WriteArchitecture(json, config, type);
            WriteSizes(json, config);
            WriteOptions(json, config);
            json.WriteEndObject();
        });
    }

    private static MambaConfig ReadHuggingFace(JsonFields fields)
    {
        string modelType = fields.Text("model_type", string.Empty);
        if (modelType is not ("mamba" or "falcon_mamba"))
        {
            throw new InvalidDataException($"model_type: expected mamba or falcon_mamba, found {modelType}");
        }

        if (fields.Text("hidden_act", "silu") is not ("silu" or "swish") and { } activation)
        {
            throw new InvalidDataException($"hidden_act: expected silu, found {activation}");
        }

        int model = fields.RequiredInteger("hidden_size");
        bool projectionBias = fields.Flag("use_bias", false);
        return new MambaConfig
        {
            DModel = model,
            NLayer = fields.RequiredInteger("num_hidden_layers"),
            VocabSize = fields.RequiredInteger("vocab_size"),
            DState = fields.Integer("state_size", 16),
            DConv = fields.Integer("conv_kernel", 4),
            DInner = fields.Has("intermediate_size") ? fields.RequiredInteger("intermediate_size") : Expand(fields, model),
            DtRank = fields.IntegerOrAuto("time_step_rank"),
            InProjBias = projectionBias,
            ConvBias = fields.Flag("use_conv_bias", true),
            OutProjBias = fields.Flag(OutProjBiasField, projectionBias),
            TieEmbeddings = fields.Flag("tie_word_embeddings", true),
            NormEpsilon = fields.Number("layer_norm_epsilon", 1e-5f),
            MixerNormEpsilon = modelType == "falcon_mamba" ? fields.Number("mixer_rms_eps", 1e-6f) : null,
            DtMin = fields.Number("time_step_min", 0.001f),
            DtMax = fields.Number("time_step_max", 0.1f),
            DtInitFloor = fields.Number("time_step_floor", 1e-4f),
            DtScale = fields.Number("time_step_scale", 1),
            InitializerRange = fields.Number("initializer_range", 0.1f),
            RescalePrenormResidual = fields.Flag("rescale_prenorm_residual", false),
            EndTokenId = fields.FirstInteger("eos_token_id"),
        };
    }

    private static MambaConfig ReadOriginal(JsonFields fields)
    {
        JsonFields ssm = fields.Inner("ssm_cfg");
        RefuseUnsupported(fields, ssm);
        int model = fields.RequiredInteger("d_model");
        bool projectionBias = ssm.Flag("bias", false);
        return new MambaConfig
        {
            DModel = model,
            NLayer = fields.RequiredInteger("n_layer"),
            VocabSize = RoundUp(fields.RequiredInteger("vocab_size"), fields.Integer("pad_vocab_size_multiple", 8)),
            DState = ssm.Integer("d_state", 16),
            DConv = ssm.Integer("d_conv", 4),
            DInner = Expand(ssm, model),
            DtRank = ssm.IntegerOrAuto("dt_rank"),
            InProjBias = projectionBias,
            ConvBias = ssm.Flag("conv_bias", true),
            OutProjBias = projectionBias,
            TieEmbeddings = fields.Flag("tie_embeddings", true),
            DtMin = ssm.Number("dt_min", 0.001f),
            DtMax = ssm.Number("dt_max", 0.1f),
            DtInitFloor = ssm.Number("dt_init_floor", 1e-4f),
            DtScale = ssm.Number("dt_scale", 1),
        };
    }

    private static void RefuseUnsupported(JsonFields fields, JsonFields ssm)
    {
        if (ssm.Text("layer", "Mamba1") is not "Mamba1" and { } layer)
        {
            throw new InvalidDataException($"ssm_cfg.layer: expected Mamba1, found {layer}");
        }

        foreach (JsonProperty field in ssm.All())
        {
            if (!ssmFields.Contains(field.Name))
            {
                throw new InvalidDataException($"ssm_cfg: expected {string.Join(", ", ssmFields)}; found {field.Name}");
            }
        }

        if (fields.HasElements("attn_layer_idx") || fields.Integer("d_intermediate", 0, least: 0) > 0)
        {
            throw new InvalidDataException("expected Mamba blocks alone, found attention or feed-forward layers (attn_layer_idx, d_intermediate)");
        }
    }

    private static int Expand(JsonFields fields, int model)
    {
        double inner = Math.Floor((double)fields.Number("expand", 2) * model);
        return inner is >= 1 and <= int.MaxValue
            ? (int)inner
            : throw new InvalidDataException(Throw.Invariant($"expand: expected expand x d_model from 1 to {int.MaxValue}, found {inner}"));
    }

    private static int RoundUp(int value, int multiple)
    {
        long rounded = ((long)value + multiple - 1) / multiple * multiple;
        return rounded <= int.MaxValue
            ? (int)rounded
            : throw new InvalidDataException(Throw.Invariant($"vocab_size: expected at most {int.MaxValue} with padding, found {rounded}"));
    }

    private static void WriteArchitecture(Utf8JsonWriter json, MambaConfig config, ElementType type)
    {
        bool isFalcon = config.MixerNormEpsilon is not null;
        json.WriteStartArray("architectures");
        json.WriteStringValue(isFalcon ? "FalconMambaForCausalLM" : "MambaForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", isFalcon ? "falcon_mamba" : "mamba");
        json.WriteString("torch_dtype", type switch
        {
            ElementType.Float16 => "float16",
            ElementType.BFloat16 => "bfloat16",
            _ => "float32",
        });
    }

    private static void WriteSizes(Utf8JsonWriter json, MambaConfig config)
    {
        json.WriteNumber("hidden_size", config.DModel);
        json.WriteNumber("num_hidden_layers", config.NLayer);
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("state_size", config.DState);
        json.WriteNumber("conv_kernel", config.DConv);
        json.WriteNumber("expand", Math.Max(1, config.DInner / config.DModel));
        json.WriteNumber("intermediate_size", config.DInner);
        json.WriteNumber("time_step_rank", config.DtRank);
    }

    private static void WriteOptions(Utf8JsonWriter json, MambaConfig config)
    {
        json.WriteString("hidden_act", "silu");
        json.WriteBoolean("use_bias", config.InProjBias);
        if (config.OutProjBias != config.InProjBias)
        {
            json.WriteBoolean(OutProjBiasField, config.OutProjBias);
        }

        json.WriteBoolean("use_conv_bias", config.ConvBias);
        json.WriteBoolean("tie_word_embeddings", config.TieEmbeddings);
        json.WriteNumber("layer_norm_epsilon", config.NormEpsilon);
        if (config.MixerNormEpsilon is { } mixerEpsilon)
        {
            json.WriteNumber("mixer_rms_eps", mixerEpsilon);
        }

        json.WriteNumber("time_step_min", config.DtMin);
        json.WriteNumber("time_step_max", config.DtMax);
        json.WriteNumber("time_step_floor", config.DtInitFloor);
        json.WriteNumber("time_step_scale", config.DtScale);
        json.WriteNumber("initializer_range", config.InitializerRange);
        json.WriteBoolean("rescale_prenorm_residual", config.RescalePrenormResidual);
        json.WriteBoolean("residual_in_fp32", true);
        if (config.EndTokenId is { } end)
        {
            json.WriteNumber("eos_token_id", end);
        }
    }
}
