"""Video models with random weights and a few thousand parameters, in the format in which the real ones are published.

Sizes follow what the pipelines' classes need at least. Nothing is downloaded: tokenizers get a vocabulary of letters.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
import transformers

LETTERS = [chr(code) for code in range(32, 127)]


def unigram(special: list[str]) -> list[tuple[str, float]]:
    return [(token, 0.0) for token in special] + [("▁", -1.0)] + [(letter, -2.0) for letter in LETTERS]


def bpe(special: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate([*special, "▁", *LETTERS])}


def t5(config_class=transformers.UMT5Config, model=transformers.UMT5EncoderModel) -> dict:
    tokenizer = transformers.T5TokenizerFast(
        vocab=unigram(["<pad>", "</s>", "<unk>"]), extra_ids=0, model_max_length=512
    )
    config = config_class(
        vocab_size=128, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, relative_attention_num_buckets=8
    )
    return {"tokenizer": tokenizer, "text_encoder": model(config).eval()}


def clip_vision(model=transformers.CLIPVisionModel, size: int = 32) -> dict:
    config = transformers.CLIPVisionConfig(
        hidden_size=4, projection_dim=4, num_hidden_layers=2, num_attention_heads=2, image_size=size,
        intermediate_size=16, patch_size=size // 4,
    )  # fmt: skip
    return {
        "image_encoder": model(config).eval(),
        "image_processor": transformers.CLIPImageProcessor(crop_size=size, size=size),
    }


def wan_vae() -> diffusers.AutoencoderKLWan:
    return diffusers.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    ).eval()


WAN = {
    "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "out_channels": 16, "text_dim": 32,
    "freq_dim": 32, "ffn_dim": 32, "num_layers": 2, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 32,
}  # fmt: skip


def unipc(shift: float = 3.0) -> diffusers.UniPCMultistepScheduler:
    return diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, num_train_timesteps=1000
    )


def wan_i2v(**transformer) -> diffusers.DiffusionPipeline:
    """Wan 2.1 I2V and Fun InP: an image encoder with room for one image."""
    network = diffusers.WanTransformer3DModel(**{**WAN, "in_channels": 36, "image_dim": 4, **transformer}).eval()
    return diffusers.WanImageToVideoPipeline(
        **t5(), **clip_vision(), vae=wan_vae(), scheduler=unipc(), transformer=network, transformer_2=None
    )


def wan_flf2v() -> diffusers.DiffusionPipeline:
    """Wan 2.1 FLF2V: places for two images' embeddings (16 patches and a class token each)."""
    return wan_i2v(pos_embed_seq_len=2 * 17)


def wan_a14b() -> diffusers.DiffusionPipeline:
    """Wan 2.2 I2V A14B: two transformers and no image encoder."""
    first, second = (diffusers.WanTransformer3DModel(**WAN, in_channels=36).eval() for _ in range(2))
    return diffusers.WanImageToVideoPipeline(
        **t5(), image_encoder=None, image_processor=None, vae=wan_vae(), scheduler=unipc(), transformer=first,
        transformer_2=second, boundary_ratio=0.9,
    )  # fmt: skip


def wan_ti2v_5b() -> diffusers.DiffusionPipeline:
    """Wan 2.2 TI2V 5B, which ignores the last frame."""
    vae = diffusers.AutoencoderKLWan(
        base_dim=3, z_dim=48, in_channels=12, out_channels=12, is_residual=True, patch_size=2, latents_mean=[0.0] * 48,
        latents_std=[1.0] * 48, dim_mult=[1, 1, 1, 1], num_res_blocks=1, scale_factor_spatial=16,
        scale_factor_temporal=4, temperal_downsample=[False, True, True],
    )  # fmt: skip
    network = diffusers.WanTransformer3DModel(**{**WAN, "in_channels": 48, "out_channels": 48})
    return diffusers.WanImageToVideoPipeline(
        **t5(), image_encoder=None, image_processor=None, vae=vae, scheduler=unipc(), transformer=network,
        transformer_2=None, boundary_ratio=None, expand_timesteps=True,
    )  # fmt: skip


def wan_t2v() -> diffusers.DiffusionPipeline:
    """Wan of text alone."""
    network = diffusers.WanTransformer3DModel(**WAN, in_channels=16)
    return diffusers.WanPipeline(**t5(), vae=wan_vae(), scheduler=unipc(), transformer=network, transformer_2=None)


def wan_vace() -> diffusers.DiffusionPipeline:
    """Wan 2.1 VACE."""
    network = diffusers.WanVACETransformer3DModel(
        **{**WAN, "num_layers": 3}, in_channels=16, vace_layers=[0, 2], vace_in_channels=96
    ).eval()
    return diffusers.WanVACEPipeline(
        **t5(), vae=wan_vae(), scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0), transformer=network,
        transformer_2=None,
    )  # fmt: skip


def skyreels_i2v() -> diffusers.DiffusionPipeline:
    """SkyReels V2 image-to-video."""
    network = diffusers.SkyReelsV2Transformer3DModel(**WAN, in_channels=36, image_dim=4).eval()
    return diffusers.SkyReelsV2ImageToVideoPipeline(
        **t5(), **clip_vision(transformers.CLIPVisionModelWithProjection), vae=wan_vae(), scheduler=unipc(),
        transformer=network,
    )  # fmt: skip


def skyreels_df() -> diffusers.DiffusionPipeline:
    """SkyReels V2 diffusion forcing."""
    network = diffusers.SkyReelsV2Transformer3DModel(**WAN, in_channels=16).eval()
    return diffusers.SkyReelsV2DiffusionForcingPipeline(**t5(), vae=wan_vae(), scheduler=unipc(), transformer=network)


def ltx_vae(**changed) -> diffusers.AutoencoderKLLTXVideo:
    return diffusers.AutoencoderKLLTXVideo(
        **{
            "latent_channels": 8,
            "block_out_channels": (8,) * 5,
            "decoder_block_out_channels": (8, 16, 32),
            "down_block_types": ("LTXVideo095DownBlock3D",) * 4,
            "layers_per_block": (1,) * 5,
            "decoder_layers_per_block": (1,) * 4,
            "spatio_temporal_scaling": (True,) * 4,
            "decoder_spatio_temporal_scaling": (True,) * 3,
            "downsample_type": ("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
            "decoder_inject_noise": (False,) * 4,
            "upsample_residual": (True,) * 3,
            "upsample_factor": (2,) * 3,
            "timestep_conditioning": False,
            "patch_size": 4,
            "patch_size_t": 1,
            "encoder_causal": True,
            "decoder_causal": False,
            "spatial_compression_ratio": 32,
            "temporal_compression_ratio": 8,
            **changed,
        }
    ).eval()


def ltx(**vae) -> diffusers.DiffusionPipeline:
    """LTX-Video 0.9.5 and later."""
    network = diffusers.LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=4, attention_head_dim=8, cross_attention_dim=32, num_layers=1,
        caption_channels=32,
    ).eval()  # fmt: skip
    return diffusers.LTXConditionPipeline(
        **t5(transformers.T5Config, transformers.T5EncoderModel), vae=ltx_vae(**vae),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), transformer=network,
    )  # fmt: skip


def ltx2() -> diffusers.DiffusionPipeline:
    """LTX-2 with Gemma 3, its sound and all."""
    from diffusers.pipelines.ltx2 import LTX2TextConnectors
    from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder

    tokenizer = transformers.GemmaTokenizerFast(vocab=bpe(["<pad>", "<eos>", "<bos>", "<unk>"]), merges=[])
    text = {
        "vocab_size": 128, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 1024, "pad_token_id": 0,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
        "patch_size": 16,
    }  # fmt: skip
    encoder = transformers.Gemma3ForConditionalGeneration(
        transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    ).eval()
    network = diffusers.LTX2VideoTransformer3DModel(
        in_channels=4, out_channels=4, patch_size=1, patch_size_t=1, num_attention_heads=2, attention_head_dim=8,
        cross_attention_dim=16, audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2,
        audio_attention_head_dim=4, audio_cross_attention_dim=8, num_layers=2, qk_norm="rms_norm_across_heads",
        caption_channels=16, rope_double_precision=False, rope_type="split",
    ).eval()  # fmt: skip
    connectors = LTX2TextConnectors(
        caption_channels=16, text_proj_in_factor=3, video_connector_num_attention_heads=4,
        video_connector_attention_head_dim=4, video_connector_num_layers=1, video_connector_num_learnable_registers=None,
        audio_connector_num_attention_heads=4, audio_connector_attention_head_dim=4, audio_connector_num_layers=1,
        audio_connector_num_learnable_registers=None, connector_rope_base_seq_len=32, rope_theta=10000.0,
        rope_double_precision=False, causal_temporal_positioning=False, rope_type="split",
    ).eval()  # fmt: skip
    vae = diffusers.AutoencoderKLLTX2Video(
        latent_channels=4, block_out_channels=(8, 8, 8), decoder_block_out_channels=(8, 8, 8), layers_per_block=(1,) * 4,
        decoder_layers_per_block=(1,) * 4, spatio_temporal_scaling=(True,) * 3, decoder_spatio_temporal_scaling=(True,) * 3,
        decoder_inject_noise=(False,) * 4, downsample_type=("spatiotemporal",) * 3, upsample_residual=(False,) * 3,
        upsample_factor=(1,) * 3, timestep_conditioning=False, patch_size=4, patch_size_t=1, encoder_causal=True,
        decoder_causal=False, down_block_types=("LTX2VideoDownBlock3D",) * 3,
    ).eval()  # fmt: skip
    audio_vae = diffusers.AutoencoderKLLTX2Audio(
        base_channels=4, output_channels=2, ch_mult=(1,), num_res_blocks=1, attn_resolutions=None, in_channels=2,
        resolution=32, latent_channels=2, norm_type="pixel", causality_axis="height", dropout=0.0,
        mid_block_add_attention=False, sample_rate=16000, mel_hop_length=160, is_causal=True, mel_bins=8,
    ).eval()  # fmt: skip
    vocoder = LTX2Vocoder(
        in_channels=16, hidden_channels=32, out_channels=2, upsample_kernel_sizes=[4, 4], upsample_factors=[2, 2],
        resnet_kernel_sizes=[3], resnet_dilations=[[1, 3, 5]], leaky_relu_negative_slope=0.1, output_sampling_rate=16000,
    ).eval()  # fmt: skip
    return diffusers.LTX2ConditionPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), vae=vae, audio_vae=audio_vae, text_encoder=encoder,
        tokenizer=tokenizer, connectors=connectors, transformer=network, vocoder=vocoder,
    )  # fmt: skip


def framepack() -> diffusers.DiffusionPipeline:
    """HunyuanVideo FramePack."""
    network = diffusers.HunyuanVideoFramepackTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10, num_layers=1, num_single_layers=1,
        num_refiner_layers=1, patch_size=2, patch_size_t=1, guidance_embeds=True, text_embed_dim=16,
        pooled_projection_dim=8, rope_axes_dim=(2, 4, 4), image_condition_type=None, has_image_proj=True,
        image_proj_dim=32, has_clean_x_embedder=True,
    ).eval()  # fmt: skip
    vae = diffusers.AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4,
        mid_block_add_attention=True,
    ).eval()  # fmt: skip
    llama = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=37, num_attention_heads=4, num_hidden_layers=4, vocab_size=256, pad_token_id=0
    )
    clip = transformers.CLIPTextConfig(
        hidden_size=8, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2, vocab_size=256, pad_token_id=1,
        bos_token_id=0, eos_token_id=2, max_position_embeddings=77, projection_dim=8,
    )  # fmt: skip
    siglip = transformers.SiglipVisionConfig(
        hidden_size=32, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2, image_size=30, patch_size=10
    )
    words = {letter: number + 3 for number, letter in enumerate(LETTERS + [f"{letter}</w>" for letter in LETTERS])}
    return diffusers.HunyuanVideoFramepackPipeline(
        text_encoder=transformers.LlamaModel(llama).eval(),
        tokenizer=transformers.LlamaTokenizerFast(
            vocab=bpe(["<pad>", "<s>", "</s>", "<unk>"]), merges=[], pad_token="<pad>"
        ),
        transformer=network,
        vae=vae,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=transformers.CLIPTextModel(clip).eval(),
        tokenizer_2=transformers.CLIPTokenizerFast(
            vocab={"<|startoftext|>": 0, "<pad>": 1, "<|endoftext|>": 2, **words}, merges=[], model_max_length=77
        ),
        image_encoder=transformers.SiglipVisionModel(siglip).eval(),
        feature_extractor=transformers.SiglipImageProcessor(size={"height": 30, "width": 30}),
    )


MAKERS: dict[str, Callable[[], diffusers.DiffusionPipeline]] = {
    maker.__name__: maker
    for maker in (
        wan_i2v,
        wan_flf2v,
        wan_a14b,
        wan_ti2v_5b,
        wan_t2v,
        wan_vace,
        skyreels_i2v,
        skyreels_df,
        ltx,
        ltx2,
        framepack,
    )
}


def save(name: str, folder: Path) -> Path:
    """A model of that name in a folder, with seeded weights."""
    torch.manual_seed(0)
    MAKERS[name]().save_pretrained(folder)
    return folder
