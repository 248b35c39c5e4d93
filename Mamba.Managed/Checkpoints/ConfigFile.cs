using System.Text.Json;
using Mamba.Managed.Models;

namespace Mamba.Managed.Checkpoints;

/// <summary>Reads <c>config.json</c> in the layouts of Hugging Face and of state-spaces/mamba, and writes the former.</summary>
/// <remarks>
/// A field that is absent has the default of the library that wrote the file: transformers' <c>MambaConfig</c> and
/// <c>FalconMambaConfig</c>, or <c>MambaConfig</c> and <c>Mamba</c> of state-spaces/mamba. A feature that this library does not support is an error
/// that names the field. So is a field that the original code does not know, because that code refuses it too. transformers keeps dozens of fields
/// for its own use and reads none that it does not know, so such fields are passed over in its layout.
/// </remarks>
internal static partial class ConfigFile
{
    /// <summary>The file's name in a model folder.</summary>
    public const string Name = "config.json";

    private const int MaxLength = 1 << 20;

    // transformers has one flag, use_bias, for both projections; this field of our own is written only where they differ.
    private const string OutProjBiasField = "use_out_proj_bias";

    private static readonly string[] originalFields =
    [
        "d_model", "d_intermediate", "n_layer", "vocab_size", "ssm_cfg", "attn_layer_idx", "attn_cfg", "rms_norm", "residual_in_fp32", "fused_add_norm",
        "pad_vocab_size_multiple", "tie_embeddings",
    ];

    // What tools of Hugging Face add to a file of the original layout.
    private static readonly string[] addedFields =
        ["model_type", "architectures", "bos_token_id", "eos_token_id", "pad_token_id", "torch_dtype", "dtype", "transformers_version", "tokenizer_class"];

    private static readonly string[] ssmFields =
        ["layer", "d_state", "d_conv", "expand", "dt_rank", "dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor", "conv_bias", "bias", "use_fast_path"];

    /// <summary>Reads and validates a file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not JSON, a value is out of range, or the model is of an unsupported kind.</exception>
    public static MambaConfig Read(string path) => UntrustedFile.ReadJson(path, MaxLength, json =>
    {
        JsonFields fields = new(json);
        return IsOriginal(fields) ? ReadOriginal(fields).ValidateRead()
            : fields.Has("model_type") ? ReadHuggingFace(fields).ValidateRead()
            : throw NoMamba(fields);
    });

    /// <summary>As <see cref="Read"/>, for a model of new random weights.</summary>
    /// <exception cref="InvalidDataException">Also where the file asks for initial values that are not supported.</exception>
    public static MambaConfig ReadForNewModel(string path)
    {
        UntrustedFile.ReadJson(path, MaxLength, json =>
        {
            JsonFields fields = new(json);
            RequireRandom("time_step_init_scheme", fields.Text("time_step_init_scheme", "random"));
            RequireRandom("ssm_cfg.dt_init", fields.Inner("ssm_cfg").Text("dt_init", "random"));
            return true;
        });
        return Read(path);

        static void RequireRandom(string name, string found) => Throw.Unless(found == "random", $"{name}: expected random, found {found}; train from an initialized model (--init) instead");
    }

    // A type was added to some files of the original layout, whose sizes have other names.
    private static bool IsOriginal(JsonFields fields) =>
        fields.Has("d_model") && (!fields.Has("model_type") || (!fields.Has("hidden_size") && fields.Text("model_type", "") == "mamba"));

    private static InvalidDataException NoMamba(JsonFields fields)
    {
        string architectures = string.Join(", ", fields.Texts("architectures").Take(3).Select(Shortened.Text));
        return new($"expected model_type mamba or falcon_mamba (Hugging Face) or d_model (original layout), found neither{(architectures.Length > 0 ? $", but architectures {architectures}" : "")}; this is no Mamba configuration");
    }

    private static MambaConfig ReadHuggingFace(JsonFields fields)
    {
        string modelType = fields.Text("model_type", string.Empty);
        if (modelType is not ("mamba" or "falcon_mamba"))
        {
            throw new InvalidDataException($"model_type: expected mamba or falcon_mamba, found {modelType}");
        }

        RefuseUnsupported(fields, modelType);
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
        }.WithIds(fields);
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
        }.WithIds(fields);
    }

    // An id of any size is kept: only a tokenizer can tell whether it is one. What exceeds an int is beyond every vocabulary, as the largest int is.
    private static MambaConfig WithIds(this MambaConfig config, JsonFields fields)
    {
        return config with { BeginTokenId = First("bos_token_id"), PadTokenId = First("pad_token_id"), EndTokenIds = Ids("eos_token_id") };

        int[] Ids(string name) => [.. fields.Integers(name).Select(id => (int)Math.Clamp(id, int.MinValue, int.MaxValue))];

        int? First(string name) => Ids(name) is [int first, ..] ? first : null;
    }

    private static void RefuseUnsupported(JsonFields fields, string modelType)
    {
        string prefix = modelType == "mamba" ? "Mamba" : "FalconMamba";
        IReadOnlyList<string> architectures = fields.Texts("architectures");
        if (architectures.Count > 0 && !architectures.Any(name => name == prefix + "ForCausalLM" || name == prefix + "Model"))
        {
            throw new InvalidDataException(
                $"architectures: expected {prefix}ForCausalLM or {prefix}Model, as model_type is {modelType}; found {string.Join(", ", architectures.Take(3))}");
        }

        if (fields.Text("hidden_act", "silu") is not ("silu" or "swish") and { } activation)
        {
            throw new InvalidDataException($"hidden_act: expected silu, found {activation}");
        }

        JsonFields quantization = fields.Inner("quantization_config");
        if (quantization.All().Any())
        {
            throw new InvalidDataException(
                $"quantization_config: expected none, found weights quantized by {quantization.Text("quant_method", "some method")}; take the model that was not quantized");
        }

        RefuseOtherBlocks(fields);
    }

    private static void RefuseUnsupported(JsonFields fields, JsonFields ssm)
    {
        if (ssm.Text("layer", "Mamba1") is not "Mamba1" and { } layer)
        {
            throw new InvalidDataException($"ssm_cfg.layer: expected Mamba1, found {layer}");
        }

        RefuseOtherBlocks(fields);
        foreach (JsonProperty field in ssm.All())
        {
            Throw.Unless(ssmFields.Contains(field.Name), $"ssm_cfg: expected {string.Join(", ", ssmFields)}; found {field.Name}");
        }

        foreach (JsonProperty field in fields.All())
        {
            bool isKnown = originalFields.Contains(field.Name) || addedFields.Contains(field.Name) || field.Name.StartsWith('_');
            Throw.Unless(isKnown, $"expected a configuration of state-spaces/mamba, as d_model is there and no model_type; found {field.Name}, which that code does not know");
        }
    }

    private static void RefuseOtherBlocks(JsonFields fields)
    {
        fields.RequireFlag("rms_norm", true);
        if (fields.HasElements("attn_layer_idx") || fields.Integer("d_intermediate", 0, least: 0) > 0)
        {
            throw new InvalidDataException("expected Mamba blocks alone, found attention or feed-forward layers (attn_layer_idx, d_intermediate)");
        }
    }

    // int(expand * d_model) of Python, which computes in double precision.
    private static int Expand(JsonFields fields, int model)
    {
        double inner = Math.Truncate(fields.DoubleNumber("expand", 2) * model);
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
}
